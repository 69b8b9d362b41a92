"""The faults that tests/plant_faults.py plants: each breaks something that figures or a promise to users rest on."""

from typing import NamedTuple


class Fault(NamedTuple):
    """Exact texts of one file and what stands there instead; the test files that must notice."""

    name: str
    file: str
    changes: tuple[tuple[str, str], ...]
    tests: tuple[str, ...]


FAULTS = (
    Fault(
        "pairs of the same report are kept as negatives",
        "cgdmer_jax/methods/losses/contrastive.py",
        (("negative = both & ~same", "negative = both & ~jnp.eye(len(text_id), dtype=bool)"),),
        ("tests/methods/test_alignment.py",),
    ),
    Fault(
        "each modality has a shared encoder of its own",
        "cgdmer_jax/models/heads.py",
        (
            ("encoder() if self.one_shared else {m", "{m"),
            ("self.shared_encoder if self.one_shared else self.shared_encoder[", "self.shared_encoder["),
        ),
        ("tests/models/test_heads.py",),
    ),
    Fault(
        "an absent lead is in the scale",
        "cgdmer_jax/models/ecg/scaling.py",
        (("return lead_mask[:, :, None] &", "return jnp.ones_like(lead_mask)[:, :, None] &"),),
        ("tests/models/test_scaling.py",),
    ),
    Fault(
        "hidden patches are among the keys: every slot is live",
        "cgdmer_jax/models/masking/slots.py",
        (
            (
                "kept = Slots(order[:, :slots].astype(jnp.int32), k)",
                "kept = Slots(order[:, :slots].astype(jnp.int32), jnp.minimum(n_valid, slots))",
            ),
        ),
        ("tests/methods/test_cgdmer_hidden.py",),
    ),
    Fault(
        "k_i is rounded down",
        "cgdmer_jax/models/masking/slots.py",
        (("np.round((1 - mask_ratio) * n)", "np.floor((1 - mask_ratio) * n)"),),
        ("tests/models/test_masking.py",),
    ),
    Fault(
        "k_i is rounded in float32: a hidden token finds no slot",
        "cgdmer_jax/models/masking/slots.py",
        (
            (
                "k = jnp.asarray(counts)[n_valid]",
                "k = jnp.clip(jnp.round((1 - mask_ratio) * n_valid).astype(jnp.int32), 1, slots).clip(max=n_valid)",
            ),
        ),
        ("tests/models/test_masking.py",),
    ),
    Fault(
        "HSIC is not debiased: the diagonals stay",
        "cgdmer_jax/methods/losses/independence.py",
        (
            (
                "off_diagonal = (live[:, None] & live[None, :]) & ~jnp.eye(len(live), dtype=bool)",
                "off_diagonal = live[:, None] & live[None, :]",
            ),
        ),
        ("tests/methods/test_disentangling.py",),
    ),
    Fault(
        "blocks of a mask are drawn as if every patch were 0.2 s",
        "cgdmer_jax/methods/cgdmer/method.py",
        (("            patch_seconds=config.patch_seconds,\n", "            patch_seconds=0.2,\n"),),
        ("tests/methods/test_cgdmer_fields.py",),
    ),
    Fault(
        "disentangling is warmed up over a tenth of the steps, whatever the config says",
        "cgdmer_jax/methods/cgdmer/method.py",
        (("max(config.disentangle_warmup, 1e-9)", "0.1"),),
        ("tests/methods/test_cgdmer_fields.py",),
    ),
    Fault(
        "records without text (text_id -1) are aligned",
        "cgdmer_jax/methods/losses/contrastive.py",
        (("live = text_id != NO_TEXT", "live = jnp.ones_like(text_id, dtype=bool)"),),
        ("tests/methods/test_alignment.py",),
    ),
    Fault(
        "a stale token cache is accepted",
        "cgdmer_jax/data/text_cache.py",
        (("    if differing:\n", "    if False:\n"),),
        ("tests/data/test_tokens.py",),
    ),
    Fault(
        "special tokens are masked like words",
        "cgdmer_jax/models/masking/words.py",
        (("words = is_word(tokens, token_mask, marks)", "words = token_mask"),),
        ("tests/models/test_token_masking.py",),
    ),
    Fault(
        "a flipped bit of a checkpoint is accepted",
        "cgdmer_jax/training/manifest.py",
        (
            (
                "if found != expected:",
                "if False:",
            ),
        ),
        ("tests/training/test_checkpoint.py",),
    ),
    Fault(
        "every epoch has the order of the first",
        "cgdmer_jax/data/loader.py",
        (('f"{self._identity} {epoch}"', "self._identity"),),
        ("tests/data/test_loader.py",),
    ),
    Fault(
        "distinct rows come back sorted, not in the order asked for",
        "cgdmer_jax/data/store/store.py",
        (("if len(distinct) == len(rows) and np.array_equal(distinct, rows):", "if len(distinct) == len(rows):"),),
        ("tests/data/test_store.py",),
    ),
    Fault(
        "hosts take every n-th record of a batch in turn",
        "cgdmer_jax/data/loader.py",
        (
            (
                "slice(process_index * share, (process_index + 1) * share)",
                "slice(process_index, None, process_count)",
            ),
        ),
        ("tests/data/test_loader.py",),
    ),
    Fault(
        "leads are placed by position, not by name",
        "cgdmer_jax/waveform/conditioning.py",
        (("arranged_mv[[LEADS.index(lead) for lead in found]] =", "arranged_mv[: len(found)] ="),),
        ("tests/waveform/test_conditioning.py",),
    ),
    Fault(
        "no patient is hashed in the contract",
        "cgdmer_jax/recipes/build.py",
        (("patients = {patient_sha256(patient) for patient in corpus.patient_id[own]}", "patients = set()"),),
        ("tests/evaluation/test_leaks.py",),
    ),
    Fault(
        "the probe is fitted on the fold that it scores",
        "cgdmer_jax/evaluation/subject.py",
        (("for part in (folds.fit, folds.choose,", "for part in (folds.fit + folds.score, folds.choose,"),),
        ("tests/evaluation/test_leaks.py",),
    ),
    Fault(
        "the bootstrap draws records instead of patients",
        "cgdmer_jax/metrics/bootstrap.py",
        (
            (
                "patients, of_record = np.unique(patient_ids, return_inverse=True)",
                "patients, of_record = patient_ids, np.arange(len(patient_ids))",
            ),
        ),
        ("tests/metrics/test_bootstrap.py",),
    ),
    Fault(
        "limb leads that contradict each other are not marked",
        "cgdmer_jax/waveform/limb_leads.py",
        (("bool(swapped), bool(disagree))", "bool(swapped), False)"),),
        ("tests/waveform/test_limb_leads.py",),
    ),
    Fault(
        "a file is written under its own name: half of it looks whole",
        "cgdmer_jax/whole_file.py",
        (('with unfinished.open("wb")', 'with path.open("wb")'), ("os.replace(unfinished, path)", "pass")),
        ("tests/test_whole_file.py",),
    ),
    Fault(
        "Weights & Biases is begun with its own settings",
        "cgdmer_jax/training/mirrors.py",
        (('resume="allow", settings=settings)', 'resume="allow")'),),
        ("tests/training/test_mirrors.py",),
    ),
    Fault(
        "a store of the same name counts as the one trained on",
        "cgdmer_jax/evaluation/report_words.py",
        (
            (
                "if corpus.fingerprint in {part.fingerprint for part in",
                "if base.store in {part.name for part in",
            ),
        ),
        ("tests/evaluation/test_leaks.py",),
    ),
)
