"""Encoder: a pretrained model in use. Recordings in any order of leads, rate and unit; NumPy in, NumPy out."""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, partial
from typing import Any

import jax
import numpy as np
from jaxtyping import Bool, Float
from tokenizers import Tokenizer

from cgdmer_jax.batch import Batch
from cgdmer_jax.contract import InputContract, Prepared, signal_sha256
from cgdmer_jax.data.text.tokenizer import encode
from cgdmer_jax.errors import CgdmerError, suggest
from cgdmer_jax.given_input import in_order
from cgdmer_jax.interop.given_signals import Remarks, Signals, counted, is_one, prepare_all
from cgdmer_jax.interop.given_texts import Prompts, check_known, cleaned_text, given_phrasings
from cgdmer_jax.interop.prediction_head import PredictionHead
from cgdmer_jax.interop.prepared_batches import BatchShape
from cgdmer_jax.interop.program import Program
from cgdmer_jax.interop.trained_patients import among_trained_patients
from cgdmer_jax.methods.batched import Texts, embed_recordings, embed_texts, records_at_once
from cgdmer_jax.methods.delineate.method import wave_classes
from cgdmer_jax.methods.protocol import Delineator, Embedder, Variables
from cgdmer_jax.methods.zero_shot import class_answers, class_vectors
from cgdmer_jax.waveform.waves import FoundWave, waves_by_lead

TEXTS_AT_ONCE = 64  # in use they are few


class Encoder:
    """A pretrained model in use, made by `cgdmer_jax.load`. Deterministic; every record is embedded independently.

    `features`: width of each feature that `embed` can give, by name. `contract`: rate (Hz), length (seconds) and leads
    that the model reads, and what it was trained on. `max_tokens`: longer texts are cut there. `classes` and
    `thresholds`: of a model that predicts, what `predict` tells of; else empty. A model that was trained to `delineate`
    can do nothing else.

    Arguments that the methods share:

    - `signal`: one recording [lead, time], or [time] of a single lead; or several, as an array [record, lead, time] or
      an iterable of [lead, time]. NaN or masked where nothing was measured.
    - `rate`: sampling rate in Hz; another one than the model's is resampled.
    - `leads`: names along the lead axis, in any order; aliases are known, absent leads are simply left out.
    - `unit`: of the samples, "V", "mV" or "uV".
    - `windows`: which part of a signal longer than the model's window is read: "first" (the default, with a warning),
      "centre", or "all", which takes one signal and gives a row for each window in turn.

    Each method raises CgdmerError, in one sentence, where an argument has the wrong type, shape, rate, unit or lead
    names, and where a signal holds infinite values or no usable lead. Warns once a call of what looks wrong in the
    signals: leads that are given and not used, gaps, clipped samples, implausible amplitudes, exchanged electrodes, and
    a signal shorter than the model's window, as with a wrong `rate`.

    It can be pickled, with its weights.
    """

    def __init__(
        self,
        method: Embedder | Delineator,
        variables: Variables,
        contract: InputContract,
        tokenizer: Tokenizer,
        max_tokens: int,
        head: PredictionHead | None = None,
    ):
        self.contract = contract
        self._trained_signals = {sha for part in contract.trained_on for sha in part.signal_sha256}
        self.max_tokens = max_tokens
        self._shape = BatchShape(contract, max_tokens)
        self._method = method
        self._variables = jax.device_put(variables)
        self._tokenizer = tokenizer
        self._head = head
        declared = method.declared
        self._embed_ecg = Program(method.embed_ecg) if declared.recordings else None
        self._embed_text = Program(method.embed_text) if declared.text else None
        self._wave_classes = Program(partial(wave_classes, method)) if declared.delineates else None
        # The number of questions varies, so these are compiled anew for each.
        asks = declared.queries
        self._query_texts, self._answer = map(jax.jit, (method.query_texts, method.query_ecg)) if asks else (None, None)

    @cached_property
    def features(self) -> dict[str, int]:
        """Width of each feature that `embed` can give, by name; empty of a model that delineates."""
        if self._embed_ecg is None:
            return {}
        made = self._embed_ecg.result_shapes(self._variables, self._shape.blank(records_at_once()))
        return {name: value.shape[1] for name, value in made.items()}

    @property
    def classes(self) -> dict[str, str]:
        """Name of each class that `predict` gives, by code; empty of a model that was not fitted to labels."""
        return {} if self._head is None else dict(zip(self._head.codes, self._head.names, strict=True))

    @property
    def thresholds(self) -> dict[str, float | None]:
        """Probability from which on a class counts as found, by code: of highest F1 on validation; None = not known."""
        return {} if self._head is None else dict(zip(self._head.codes, self._head.thresholds, strict=True))

    def __repr__(self) -> str:
        """Input and features, for a notebook."""
        contract, features = self.contract, ", ".join(f"{name} {width}" for name, width in self.features.items())
        gives = f"features: {features}" if self._wave_classes is None else "delineates P, QRS and T"
        return (
            f"<Encoder of {contract.seconds:g} s at {contract.rate:g} Hz, leads {', '.join(contract.leads)}; {gives}>"
        )

    def __reduce__(self) -> tuple:
        """The parts that it was made of, weights included: a fitted pipeline is pickled whole."""
        return type(self), (
            self._method,
            jax.device_get(self._variables),
            self.contract,
            self._tokenizer,
            self.max_tokens,
            self._head,
        )

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
        made, remarks = self._embedded(signal, rate, leads, unit, feature, windows)
        remarks.warn(counted(signal, windows))
        return made

    def embed_prepared(
        self, prepared: Iterable[Prepared], *, feature: str = "main"
    ) -> Float[np.ndarray, "record feature"]:
        """float32 features [record, feature] of `prepared` recordings, where each had its own rate and leads.

        `prepared`: what `cgdmer_jax.contract.prepare(encoder.contract, signal, rate, leads, unit)` gave, int16
        microvolts [lead, time] each. `feature` as for `embed`. Raises CgdmerError where the model has no such feature.
        """
        self.check_feature(feature)

        def asked(variables: Variables, batch: Batch) -> dict:
            return {feature: self._embed_ecg(variables, batch)[feature]}

        made = embed_recordings(asked, self._variables, self._shape.batches(prepared, records_at_once()))
        return made.get(feature, np.zeros((0, self.features[feature]), np.float32))

    def check_feature(self, feature: object) -> None:
        """Raises CgdmerError where the model has no feature of that name; `feature`: a name in `features`."""
        if self._wave_classes is not None:
            raise CgdmerError(
                "the model delineates and gives no features; load the pretrained one that it was made from"
            )
        if not isinstance(feature, str) or feature not in self.features:
            raise CgdmerError(f'the model has no feature "{feature}".{suggest(str(feature), self.features)}')

    def was_trained_on(
        self, signal: Signals, rate: float | int, leads: Iterable[str], unit: str
    ) -> Bool[np.ndarray, "record"]:
        """True where the model was trained on this very recording; [record], one value a signal.

        Hashes of the prepared samples of the first window are compared: unit and order of the leads do not matter,
        while a copy at another rate counts as another recording. Raises CgdmerError as `embed` does.
        """
        remarks = Remarks()
        prepared = prepare_all(self.contract, signal, rate, leads, unit, "first", remarks)  # as a conversion reads them
        known = [signal_sha256(one.signal) in self._trained_signals for one in prepared]
        remarks.warn(counted(signal, None))
        return np.array(known, bool)

    def was_trained_on_patient(self, patients: Iterable[str], key: bytes) -> Bool[np.ndarray, "patient"]:
        """True where the model was trained on that patient; [patient], in the order given.

        `patients`: `<collection>:<id>` of each. `key`: the bytes that the model was made with (--patient_key); hashes
        of another key, which a fitted model may have from its encoder, match nobody. Raises CgdmerError where the model
        was made without a key or knows only the number of that collection's patients, and where a name is no text.
        """
        return among_trained_patients(self.contract, patients, key)

    def embed_text(self, texts: Iterable[str]) -> Float[np.ndarray, "text embedding"]:
        """float32 unit vectors [text, embedding] in the space of the feature "aligned".

        `texts`: reports or prompts in order, cleaned here as in training and cut at `max_tokens` word pieces. Raises
        CgdmerError where one is no text, is longer than 100,000 characters or holds no clinical words the model knows.
        """
        self._check_text()
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
        probability: compare records within a class. A model with a query network (K-MERL) gives the logit of its answer
        instead; ask it for plain names of findings. Raises CgdmerError where classes have unequal numbers of phrasings
        or a phrasing holds no clinical words that the model knows.
        """
        self._check_text()
        if self._answer is not None:
            scores, remarks = self._computed(signal, rate, leads, unit, windows, self._answering(prompts))
        else:
            vectors = self._class_vectors(prompts)
            made, remarks = self._embedded(signal, rate, leads, unit, "aligned", windows)
            scores = made @ vectors.T
        remarks.warn(counted(signal, windows))
        return scores

    def predict(
        self,
        signal: Signals,
        rate: float | int,
        leads: Iterable[str],
        unit: str,
        *,
        windows: str | None = None,
    ) -> dict[str, float | Float[np.ndarray, "record"]]:
        """Probability of each class, by code: a number of one `signal`, [record] of several.

        Calibrated on the records that the model was chosen on, where there were enough; compare it with `thresholds`.
        Raises CgdmerError where the model was not fitted to labels, and as `embed` does.
        """
        if self._head is None:
            raise CgdmerError(
                "the model predicts no classes; fit it to labels (experiments.fit or experiments.finetune, "
                "--model=FOLDER) and load the folder made by that"
            )
        logits, remarks = self._embedded(signal, rate, leads, unit, "logits", windows)
        found = self._head.probabilities(np.atleast_2d(logits)).T
        remarks.warn(counted(signal, windows))
        one = logits.ndim == 1
        return {code: float(p[0]) if one else p for code, p in zip(self._head.codes, found, strict=True)}

    def delineate(
        self,
        signal: Signals,
        rate: float | int,
        leads: Iterable[str],
        unit: str,
        *,
        windows: str | None = None,
    ) -> dict[str, list[FoundWave]] | list[dict[str, list[FoundWave]]]:
        """P, QRS and T of each lead in order of time, by lead: of one `signal`; a list of such of several.

        Each wave has a `kind` ("P", "QRS" or "T"), and `onset_s` and `offset_s` in seconds from the beginning of the
        recording. As in scoring, gaps of up to 40 ms within a wave are closed, then P and QRS below 40 ms and T below
        80 ms are dropped. A wave that the window cuts begins or ends there. A lead that was not used has no entry.
        Raises CgdmerError where the model was not trained to delineate (docs/delineation.md), and as `embed` does.
        """
        if self._wave_classes is None:
            raise CgdmerError(
                "the model has no head that delineates; train one (experiments.delineate, --model=FOLDER "
                "--model_out=NEW) and load the folder made by that"
            )
        found, remarks = self._computed(signal, rate, leads, unit, windows, self._delineated)
        remarks.warn(counted(signal, windows))
        return found

    def _delineated(self, prepared: Iterable[Prepared]) -> list[dict[str, list[FoundWave]]]:
        """Waves of each recording, by lead."""
        found = []
        for batch, some in self._shape.blocks(prepared, records_at_once()):
            classes = np.asarray(self._wave_classes(self._variables, batch))
            found += [
                waves_by_lead(own[:, : one.length], one.lead_mask, self.contract.rate, one.start_s)
                for own, one in zip(classes, some, strict=False)  # the last rows of a batch may be blank
            ]
        return found

    def _embedded(
        self,
        signal: Signals,
        rate: float | int,
        leads: Iterable[str],
        unit: str,
        feature: str,
        windows: str | None,
    ) -> tuple[Float[np.ndarray, "..."], Remarks]:
        """Features, and what looked wrong in the signals."""
        return self._computed(signal, rate, leads, unit, windows, partial(self.embed_prepared, feature=feature))

    def _computed(
        self,
        signal: Signals,
        rate: float | int,
        leads: Iterable[str],
        unit: str,
        windows: str | None,
        compute: Callable[[Iterable[Prepared]], Sequence],
    ) -> tuple[Any, Remarks]:
        """The result of `compute` on the prepared signals, a row each, and the remarks about them."""
        remarks = Remarks()
        made = compute(prepare_all(self.contract, signal, rate, leads, unit, windows, remarks))
        return (made[0] if is_one(signal) and windows != "all" else made), remarks

    def _answering(self, prompts: Prompts) -> Callable[[Iterable[Prepared]], np.ndarray]:
        """Prepared recordings -> logits [record, class]."""
        phrasings = given_phrasings(prompts)
        queries = self._text_vectors(self._cleaned_phrasings(phrasings), self._query_texts)

        def answered(variables: Variables, batch: Batch) -> dict:
            return {"answers": self._answer(variables, batch, queries)}

        def compute(prepared: Iterable[Prepared]) -> np.ndarray:
            batches = self._shape.batches(prepared, records_at_once())
            made = embed_recordings(answered, self._variables, batches)
            logits = made.get("answers", np.zeros((0, len(queries)), np.float32))
            return class_answers(logits, len(phrasings))

        return compute

    def _class_vectors(self, prompts: Prompts) -> Float[np.ndarray, "klass embedding"]:
        """As methods/zero_shot.py makes them of each class's phrasings."""
        phrasings = given_phrasings(prompts)
        vectors = self._text_vectors(self._cleaned_phrasings(phrasings))
        return class_vectors(vectors.reshape(len(phrasings), len(vectors) // len(phrasings), -1))

    def _cleaned_phrasings(self, phrasings: dict[str, list[str]]) -> list[str]:
        return [self._cleaned(text, f'prompt of class "{name}"') for name, of in phrasings.items() for text in of]

    def _check_text(self) -> None:
        if self._wave_classes is not None:
            raise CgdmerError("the model delineates and reads no text; load the pretrained one that it was made from")
        if self._embed_text is None:
            raise CgdmerError("the model was pretrained on recordings alone and reads no text; embed recordings")

    def _text_vectors(self, texts: Sequence[str], embed: Callable | None = None) -> Float[np.ndarray, "text embedding"]:
        """Vectors of the aligned space, or what `embed` makes of the texts."""
        if not texts:
            return np.zeros((0, self.features["aligned"]), np.float32)

        def read(some: slice) -> Texts:
            return encode(self._tokenizer, texts[some], self.max_tokens)[:2]

        return embed_texts(embed or self._embed_text, self._variables, read, len(texts), TEXTS_AT_ONCE)

    def _cleaned(self, text: object, where: str) -> str:
        # The rules of the collection that was trained on; the rules common to all come first in each.
        first = self.contract.trained_on[0]
        cleaned = cleaned_text(text, where, first.name, first.own_cleaning)
        check_known(self._tokenizer, cleaned, where, self.max_tokens)
        return cleaned
