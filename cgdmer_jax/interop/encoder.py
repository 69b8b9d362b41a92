"""Encoder: a pretrained model in use. Recordings in any order of leads, rate and unit; NumPy in, NumPy out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

import jax
import numpy as np
from jaxtyping import Bool, Float, Int32, Num
from tokenizers import Tokenizer

from cgdmer_jax.batch import NO_TEXT, Batch
from cgdmer_jax.contract import InputContract, Prepared, patient_hmac_sha256, patient_sha256, prepare, signal_sha256
from cgdmer_jax.data.reports import clean, encode
from cgdmer_jax.errors import CgdmerError, suggest
from cgdmer_jax.methods.protocol import Method, Variables

Signals = Num[np.ndarray, "lead time"] | Iterable[Num[np.ndarray, "lead time"]]
TEXTS_AT_ONCE = 64
SCORED_AT_ONCE = 64  # every batch embeds all the prompts again


class Encoder:
    """What `cgdmer_jax.load` gives. Deterministic; every record is embedded by itself.

    `features`: what `embed` can give, with widths. `contract`: what the model was trained on.

    `rate` in Hz, `leads` by name (any order, aliases allowed, absent ones simply left out), `unit` V, mV or uV.
    A signal is [lead, time], NaN where nothing was measured; what cannot be converted is refused in one sentence.
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
        # On CPU few at a time: more would leave the cache (experiments/trained.py has the measurement).
        self._records_at_once = 4 if jax.default_backend() == "cpu" else 256
        self._embed_ecg = jax.jit(method.embed_ecg)
        self._embed_text = jax.jit(method.embed_text)
        self._zero_shot_scores = jax.jit(method.zero_shot_scores)
        made = jax.eval_shape(method.embed_ecg, variables, blank_batch(1, contract, max_tokens))
        self.features = {name: value.shape[1] for name, value in made.items()}

    def embed(
        self, signal: Signals, rate: float | int, leads: Sequence[str], unit: str, *, feature: str = "main"
    ) -> Float[np.ndarray, "..."]:
        """[feature] of one signal, [record, feature] of an iterable of signals or an array [record, lead, time]."""
        made = self.embed_prepared(self._prepared(signal, rate, leads, unit), feature=feature)
        return made[0] if _is_one(signal) else made

    def embed_prepared(
        self, prepared: Iterable[Prepared], *, feature: str = "main"
    ) -> Float[np.ndarray, "record feature"]:
        """The same of recordings that `contract.prepare` made: each may have had its own rate and leads."""
        if feature not in self.features:
            raise CgdmerError(f'the model has no feature "{feature}".{suggest(feature, self.features)}')
        parts = [
            np.asarray(self._embed_ecg(self._variables, batch)[feature])[:n_real]
            for batch, n_real in self._batches(iter(prepared), self._records_at_once)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, self.features[feature]), np.float32)

    def was_trained_on(
        self, signal: Signals, rate: float | int, leads: Sequence[str], unit: str
    ) -> Bool[np.ndarray, "record"]:
        """True where the model was trained on this very recording (its prepared samples); one value a signal."""
        prepared = self._prepared(signal, rate, leads, unit)
        return np.array([signal_sha256(one.signal) in self._trained_signals for one in prepared], bool)

    def was_trained_on_patient(self, patients: Iterable[str], key: bytes) -> Bool[np.ndarray, "patient"]:
        """True where the model was trained on that patient, "<collection>:<id>"; `key` is that of its export."""
        keyed = {one for part in self.contract.trained_on for one in part.patient_hmac_sha256}
        if not keyed:
            raise CgdmerError(
                "the model has no hashes of patients to compare with; export it with --patient_key, or compare "
                "recordings (was_trained_on)"
            )
        return np.array([patient_hmac_sha256(patient_sha256(one), key) in keyed for one in patients], bool)

    def embed_text(self, texts: Iterable[str]) -> Float[np.ndarray, "text embedding"]:
        """Unit vectors in the space of the feature `aligned`; reports or prompts, cleaned as in training."""
        texts = [self._cleaned(text, f"text {number}") for number, text in enumerate(_no_string(texts))]
        tokens, mask = self._tokens(texts)
        parts = []
        for first in range(0, len(texts), TEXTS_AT_ONCE):
            part = slice(first, first + TEXTS_AT_ONCE)
            padded = [_padded(array[part], TEXTS_AT_ONCE) for array in (tokens, mask)]
            parts.append(np.asarray(self._embed_text(self._variables, *padded))[: len(tokens[part])])
        return np.concatenate(parts) if parts else np.zeros((0, self.features["aligned"]), np.float32)

    def zero_shot(
        self,
        signal: Signals,
        prompts: Mapping[str, str | Sequence[str]],
        rate: float | int,
        leads: Sequence[str],
        unit: str,
    ) -> Float[np.ndarray, "..."]:
        """Similarity to every class, in the order of `prompts` (class -> its phrasing, or equally many phrasings).

        [class] of one signal, [record, class] of several. Not a probability: compare records within a class.
        """
        tokens, mask = self._class_tokens(prompts)
        prepared = self._prepared(signal, rate, leads, unit)
        parts = [
            np.asarray(self._zero_shot_scores(self._variables, batch, tokens, mask))[:n_real]
            for batch, n_real in self._batches(prepared, 1 if _is_one(signal) else SCORED_AT_ONCE)
        ]
        made = np.concatenate(parts) if parts else np.zeros((0, len(prompts)), np.float32)
        return made[0] if _is_one(signal) else made

    def _prepared(self, signal: Signals, rate: float | int, leads: Sequence[str], unit: str) -> Iterator[Prepared]:
        if _is_one(signal):
            yield self._one(signal, rate, leads, unit)
            return
        for number, one in enumerate(signal):
            try:
                yield self._one(np.asarray(one), rate, leads, unit)
            except CgdmerError as error:
                raise CgdmerError(f"signal {number}: {error}") from error

    def _one(self, signal: np.ndarray, rate: float | int, leads: Sequence[str], unit: str) -> Prepared:
        prepared = prepare(self.contract, signal, rate, leads, unit)
        if prepared.extra_leads:  # a misspelt name would otherwise be a lead that silently lacks
            name = prepared.extra_leads[0]
            raise CgdmerError(
                f'lead "{name}" is none of the twelve; rename it or leave it out.{suggest(name, self.contract.leads)}'
            )
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

    def _class_tokens(
        self, prompts: Mapping[str, str | Sequence[str]]
    ) -> tuple[Int32[np.ndarray, "klass prompt token"], Bool[np.ndarray, "klass prompt token"]]:
        phrasings = {name: [text] if isinstance(text, str) else list(text) for name, text in prompts.items()}
        counts = {len(texts) for texts in phrasings.values()}
        if len(counts) != 1 or counts == {0}:
            told = ", ".join(f"{name} {len(texts)}" for name, texts in phrasings.items())
            raise CgdmerError(
                f"prompts hold unequal numbers of phrasings ({told}); give every class as many, at least 1"
            )
        texts = [self._cleaned(text, f'prompt of class "{name}"') for name, of in phrasings.items() for text in of]
        tokens, mask = self._tokens(texts)
        shape = (len(phrasings), counts.pop(), -1)
        return tokens.reshape(shape), mask.reshape(shape)

    def _tokens(self, texts: Sequence[str]):
        tokens, mask, _ = encode(self._tokenizer, texts, self.max_tokens)
        return tokens, mask

    def _cleaned(self, text: str, where: str) -> str:
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


def _is_one(signal: Signals) -> bool:
    return isinstance(signal, np.ndarray) and signal.ndim == 2


def _padded(array: np.ndarray, size: int) -> np.ndarray:
    return np.pad(array, [(0, size - len(array)), *[(0, 0)] * (array.ndim - 1)], mode="edge")


def _no_string(texts: Iterable[str]) -> Iterable[str]:
    if isinstance(texts, str):
        raise CgdmerError("texts is one string; give a list of texts")
    return texts
