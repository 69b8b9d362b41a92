"""Encoder: a pretrained model in use. Recordings in any order of leads, rate and unit; NumPy in, NumPy out."""

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

import jax
import numpy as np
from jaxtyping import Bool, Float, Num
from tokenizers import Tokenizer

from cgdmer_jax.batch import NO_TEXT, Batch
from cgdmer_jax.contract import InputContract, Prepared, patient_hmac_sha256, patient_sha256, prepare, signal_sha256
from cgdmer_jax.data.text.cleaning import clean
from cgdmer_jax.data.text.tokenizer import encode
from cgdmer_jax.errors import CgdmerError, suggest
from cgdmer_jax.given_input import Signal, check_rate_and_unit, in_order, lead_names, plain_signal
from cgdmer_jax.methods.protocol import Method, Variables
from cgdmer_jax.waveform.conditioning import LEADS, canonical_lead
from cgdmer_jax.waveform.windows import split

Signals = Signal | Iterable[Signal]
Prompts = Mapping[str, str | Iterable[str]]
TEXTS_AT_ONCE = 64
MOST_CHARACTERS = 100_000  # of a text; a tokenizer takes some hundred times a text's size


class Encoder:
    """A pretrained model in use, made by `cgdmer_jax.load`. Deterministic; every record is embedded independently.

    `features`: width of each feature that `embed` can give, by name. `contract`: rate (Hz), length (seconds) and leads
    that the model reads, and what it was trained on. `max_tokens`: longer texts are cut there.

    Arguments that the methods share:

    - `signal`: one recording [lead, time]; or several, as an array [record, lead, time] or an iterable of [lead, time].
      NaN or masked where nothing was measured.
    - `rate`: sampling rate in Hz; another one than the model's is resampled.
    - `leads`: names along the lead axis, in any order; aliases are known, absent leads are simply left out.
    - `unit`: of the samples, "V", "mV" or "uV".
    - `windows`: which part of a signal longer than the model's window is read: "first" (the default, with a warning),
      "centre", or "all", which takes one signal and gives a row for each window in turn.

    Each method raises CgdmerError, in one sentence, where an argument has the wrong type, shape, rate, unit or lead
    names, and where a signal holds no usable lead. Warns of leads that are given and not used (flat, clipped, gaps).
    """

    def __init__(
        self, method: Method, variables: Variables, contract: InputContract, tokenizer: Tokenizer, max_tokens: int
    ):
        self.contract = contract
        self._trained_signals = {sha for part in contract.trained_on for sha in part.signal_sha256}
        self.max_tokens = max_tokens
        self._method = method
        self._variables = jax.device_put(variables)
        self._tokenizer = tokenizer
        # On CPU few at a time: more would leave the cache (cgdmer_jax/recipes/trained_run.py has the measurement).
        self._records_at_once = 4 if jax.default_backend() == "cpu" else 256
        self._embed_ecg = jax.jit(method.embed_ecg)
        self._embed_text = jax.jit(method.embed_text)
        made = jax.eval_shape(method.embed_ecg, variables, blank_batch(1, contract, max_tokens))
        self.features = {name: value.shape[1] for name, value in made.items()}

    def embed(
        self,
        signal: Signals,
        rate: float | int,
        leads: Iterable[str],
        unit: str,
        *,
        feature: str = "main",
        windows: str | None = None,
    ) -> Float[np.ndarray, "..."]:
        """float32 features: [feature] of one `signal`, [record, feature] of several.

        `feature`: a name in `features`; "main" is the one for linear probes, "aligned" (unit vectors, no unit of
        measurement) the one that `embed_text` shares. Raises CgdmerError where the model has no such feature.
        """
        made = self.embed_prepared(self._prepared(signal, rate, leads, unit, windows), feature=feature)
        return made[0] if _is_one(signal) and windows != "all" else made

    def embed_prepared(
        self, prepared: Iterable[Prepared], *, feature: str = "main"
    ) -> Float[np.ndarray, "record feature"]:
        """float32 features [record, feature] of `prepared` recordings, where each had its own rate and leads.

        `prepared`: what `cgdmer_jax.contract.prepare(encoder.contract, signal, rate, leads, unit)` gave, int16
        microvolts [lead, time] each. `feature` as for `embed`. Raises CgdmerError where the model has no such feature.
        """
        if feature not in self.features:
            raise CgdmerError(f'the model has no feature "{feature}".{suggest(feature, self.features)}')
        parts = [
            np.asarray(self._embed_ecg(self._variables, batch)[feature])[:n_real]
            for batch, n_real in self._batches(iter(prepared), self._records_at_once)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, self.features[feature]), np.float32)

    def was_trained_on(
        self, signal: Signals, rate: float | int, leads: Iterable[str], unit: str
    ) -> Bool[np.ndarray, "record"]:
        """True where the model was trained on this very recording; [record], one value a signal.

        Hashes of the prepared samples of the first window are compared: unit and order of the leads do not matter,
        while a copy at another rate counts as another recording. Raises CgdmerError as `embed` does.
        """
        prepared = self._prepared(signal, rate, leads, unit, "first")  # as a conversion reads them
        return np.array([signal_sha256(one.signal) in self._trained_signals for one in prepared], bool)

    def was_trained_on_patient(self, patients: Iterable[str], key: bytes) -> Bool[np.ndarray, "patient"]:
        """True where the model was trained on that patient; [patient], in the order given.

        `patients`: `<collection>:<id>` of each. `key`: the bytes that the model was exported with (--patient_key).
        Raises CgdmerError where the model was exported without a key, and where a name is no text.
        """
        keyed = {one for part in self.contract.trained_on for one in part.patient_hmac_sha256}
        if not keyed:
            raise CgdmerError(
                "the model has no hashes of patients to compare with; export it with --patient_key, or compare "
                "recordings (was_trained_on)"
            )
        names = list(in_order(patients, "patients"))
        for name in names:
            if not isinstance(name, str):
                raise CgdmerError(f'patients holds {name!r}, expected text; give "<collection>:<id>" of each')
        return np.array([patient_hmac_sha256(patient_sha256(name), key) in keyed for name in names], bool)

    def embed_text(self, texts: Iterable[str]) -> Float[np.ndarray, "text embedding"]:
        """float32 unit vectors [text, embedding] in the space of the feature "aligned".

        `texts`: reports or prompts in order, cleaned here as in training and cut at `max_tokens` word pieces. Raises
        CgdmerError where one is no text, is longer than 100,000 characters or holds no clinical words.
        """
        return self._text_vectors(
            [self._cleaned(text, f"text {number}") for number, text in enumerate(in_order(texts, "texts"))]
        )

    def zero_shot(
        self,
        signal: Signals,
        prompts: Prompts,
        rate: float | int,
        leads: Iterable[str],
        unit: str,
        *,
        windows: str | None = None,
    ) -> Float[np.ndarray, "..."]:
        """Cosine similarity to every class: [class] of one `signal`, [record, class] of several.

        `prompts`: class -> its phrasing, or equally many phrasings a class; their order is that of the classes. Not a
        probability: compare records within a class. Raises CgdmerError where classes have unequal numbers of phrasings
        or a phrasing holds no clinical words.
        """
        vectors = self._class_vectors(prompts)
        return self.embed(signal, rate, leads, unit, feature="aligned", windows=windows) @ vectors.T

    def _prepared(
        self, signal: Signals, rate: float | int, leads: Iterable[str], unit: str, windows: str | None
    ) -> Iterator[Prepared]:
        check_rate_and_unit(rate, unit)
        names = lead_names(leads)
        if _is_one(signal):
            yield from self._of_one(signal, rate, names, unit, windows)
            return
        if windows == "all":
            raise CgdmerError('windows "all" of several signals would not say which is whose; give one signal a call')
        for number, one in enumerate(_several(signal)):
            try:
                yield from self._of_one(one, rate, names, unit, windows)
            except CgdmerError as error:
                raise CgdmerError(f"signal {number}: {error}") from error

    def _of_one(
        self, signal: Signal, rate: float | int, leads: tuple[str, ...], unit: str, windows: str | None
    ) -> Iterator[Prepared]:
        parts, passed_over = split(plain_signal(signal), rate, self.contract.seconds, windows or "first")
        if passed_over and windows in (None, "all"):  # the others were asked for
            warnings.warn(f'{passed_over}; choose with windows="first", "centre" or "all"', stacklevel=2)
        for part in parts:
            try:
                yield self._window(part.signal, rate, leads, unit)
            except CgdmerError as error:
                where = f"window from {part.start_s:g} s: " if len(parts) > 1 else ""
                raise CgdmerError(f"{where}{error}") from error

    def _window(
        self, signal: Num[np.ndarray, "lead time"], rate: float | int, leads: tuple[str, ...], unit: str
    ) -> Prepared:
        prepared = prepare(self.contract, signal, rate, leads, unit)
        if prepared.extra_leads:  # a misspelt name would otherwise be a lead that silently lacks
            name = prepared.extra_leads[0]
            raise CgdmerError(
                f'lead "{name}" is none of the twelve; rename it or leave it out.{suggest(name, self.contract.leads)}'
            )
        if unused := _unused(signal, leads, prepared):
            why = "flat, clipped, or not measured for over a twentieth of the time"
            warnings.warn(f"{', '.join(unused)}: not used, as if it were not given ({why})", stacklevel=2)
        return prepared

    def _batches(self, prepared: Iterator[Prepared], size: int) -> Iterator[tuple[Batch, int]]:
        """Full batches (the last one repeats its last record), with the number of real records."""
        while some := list(islice(prepared, size)):
            n_real = len(some)
            some += [some[-1]] * (size - n_real)
            yield (
                blank_batch(size, self.contract, self.max_tokens)._replace(
                    signal=np.stack([one.signal for one in some]),
                    lead_mask=np.stack([one.lead_mask for one in some]),
                    length=np.array([one.length for one in some], np.int32),
                ),
                n_real,
            )

    def _class_vectors(self, prompts: Prompts) -> Float[np.ndarray, "klass embedding"]:
        """Re-normalised mean of each class's phrasings, as every method's `zero_shot_scores` takes it."""
        if not isinstance(prompts, Mapping):
            raise CgdmerError(
                f"prompts is a {type(prompts).__name__}; give a dict from class to phrasing, or phrasings"
            )
        phrasings = {
            name: [text] if isinstance(text, str) else list(in_order(text, f'prompts of class "{name}"'))
            for name, text in prompts.items()
        }
        counts = {len(texts) for texts in phrasings.values()}
        if len(counts) != 1 or counts == {0}:
            told = ", ".join(f"{name} {len(texts)}" for name, texts in [*phrasings.items()][:20])
            raise CgdmerError(
                f"prompts hold unequal numbers of phrasings ({told}); give every class as many, at least 1"
            )
        texts = [self._cleaned(text, f'prompt of class "{name}"') for name, of in phrasings.items() for text in of]
        mean = self._text_vectors(texts).reshape(len(phrasings), counts.pop(), -1).mean(1)
        return mean / np.sqrt(np.maximum((mean * mean).sum(1, keepdims=True), 1e-12))

    def _text_vectors(self, texts: Sequence[str]) -> Float[np.ndarray, "text embedding"]:
        parts = []
        for first in range(0, len(texts), TEXTS_AT_ONCE):
            part = texts[first : first + TEXTS_AT_ONCE]
            tokens, mask, _ = encode(self._tokenizer, part, self.max_tokens)
            padded = [_padded(array, TEXTS_AT_ONCE) for array in (tokens, mask)]
            parts.append(np.asarray(self._embed_text(self._variables, *padded))[: len(part)])
        return np.concatenate(parts) if parts else np.zeros((0, self.features["aligned"]), np.float32)

    def _cleaned(self, text: str, where: str) -> str:
        if not isinstance(text, str):
            raise CgdmerError(f"{where} is {type(text).__name__}, expected text; leave it out")
        if len(text) > MOST_CHARACTERS:
            raise CgdmerError(
                f"{where} has {len(text):,} characters, at most {MOST_CHARACTERS:,} are read; give the report alone"
            )
        # The rules of the collection that was trained on; the rules common to all come first in each.
        cleaned = clean(text, self.contract.trained_on[0].name)
        if cleaned is None:
            raise CgdmerError(f"{where} holds no clinical text; leave it out")
        return cleaned


def blank_batch(size: int, contract: InputContract, max_tokens: int) -> Batch:
    """Records without samples and without report."""
    return Batch(
        signal=np.zeros((size, len(contract.leads), contract.samples), np.int16),
        lead_mask=np.zeros((size, len(contract.leads)), bool),
        length=np.zeros(size, np.int32),
        row=np.zeros(size, np.int32),
        tokens=np.zeros((size, max_tokens), np.int32),
        token_mask=np.zeros((size, max_tokens), bool),
        text_id=np.full(size, NO_TEXT, np.int32),
        text_columns={},
    )


def _unused(signal: Num[np.ndarray, "lead time"], leads: tuple[str, ...], prepared: Prepared) -> list[str]:
    """Leads of which something was measured, and which the model is not shown all the same."""
    absent = {lead for lead, used in zip(LEADS, prepared.lead_mask, strict=True) if not used}
    measured = np.isfinite(signal).any(1)
    return [name for name, some in zip(leads, measured, strict=True) if some and canonical_lead(name) in absent]


def _is_one(signal: Signals) -> bool:
    return len(getattr(signal, "shape", ())) == 2


def _several(signals: Signals) -> Iterable:
    shape = getattr(signals, "shape", None)
    if shape is not None and len(shape) != 3:
        raise CgdmerError(f"signals have shape {[*shape]}, expected [lead, time], [record, lead, time] or a list")
    return in_order(signals, "signals")


def _padded(array: np.ndarray, size: int) -> np.ndarray:
    return np.pad(array, [(0, size - len(array)), *[(0, 0)] * (array.ndim - 1)], mode="edge")
