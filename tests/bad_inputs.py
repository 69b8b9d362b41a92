"""Bad inputs by name: each is made in an empty folder and given to the real command or function, as a user would.

`python -m tests.write_errors` writes what they answer into docs/errors.md; tests/test_bad_inputs.py asserts it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pandas import DataFrame

from cgdmer_jax import load
from cgdmer_jax.waveform.conditioning import LEADS
from tests.bad_delineations import encoder_without_tokens, store_without_waves
from tests.bad_entities import chatter, key_not_set, key_wanted, moved, no_address
from tests.bad_models import (
    a_file_in_the_way,
    another_format,
    cut_weights,
    embedding,
    half_a_minute,
    hub_without_network,
    hub_without_revision,
    longer_vocabulary,
    misspelt_folder,
    model,
    no_number,
    no_signal_but_a_folder,
    other_dtype,
    prepared,
    renamed,
    run_in_place_of_model,
    text_encoder,
    without_config,
)
from tests.bad_recordings import (
    another_channel,
    comes_back_after_the_seal,
    cut_file,
    disk_fills_up_in_shard,
    flat,
    flip_bit,
    folder_goes_away,
    folder_in_place,
    gap,
    header,
    itself,
    linked_elsewhere,
    most_are_missing,
    no_file,
    no_header,
    no_lead_name,
    nothing,
    pointer,
    recording,
    renamed_leads,
    signal,
    swapped,
    table,
    too_little_disk,
    unwritable_output,
)
from tests.bad_runs import (
    case_of_nobody,
    changed_report,
    changed_run,
    disk_fills_up_in_checkpoint,
    flipped_bit_in_contract,
    flipped_bit_in_tokenizer,
    half_deleted,
    labels_of_another_rate,
    larger_than_the_memory,
    nothing_to_learn_from,
    other_rate,
    other_values,
    pruned_checkpoint,
    report_beside_other_results,
    run_without_config,
    scored,
    store_of_another_rate,
    store_without_labels,
    store_without_the_split,
    task_of_no_store,
    training,
    tuned_with,
    wrong_weights,
)
from tests.bad_stores import (
    big_endian,
    changed_value,
    damaged_settings,
    flipped_cache,
    link,
    names_elsewhere,
    nested,
    store_with,
    unpacks,
)
from tests.bad_tables import one_byte, own_table, prompts, workbook
from tests.outcome import Outcome, raised
from tests.waveform.test_conditioning import heart


class Case(NamedTuple):
    """`make` runs it in an empty folder; `code` and `words` (a regular expression) are what must come of it."""

    input: str
    make: Callable[[Path], Outcome]
    code: int | None
    words: str


CASES = (
    Case("no lead name is known", lambda f: prepared(f, leads=[f"E{n}" for n in range(12)]), None, "no lead among E0"),
    Case("one lead name is not known", recording(header("0 V6\n", "0 VX\n")), 0, '"VX" is none of the twelve leads'),
    Case("a lead name occurs twice", recording(header("0 II\n", "0 I\n")), 0, 'signals "I" and "I" are both lead I'),
    Case("a channel in mmHg beside the leads", recording(another_channel), 0, '"ABP" is none of the twelve leads'),
    Case("no lead of the header is known", recording(no_lead_name), 0, "no lead among X0, X1"),
    Case("arm electrodes exchanged", recording(signal(swapped)), 0, "suspicion of exchanged arm electrodes"),
    Case("names of leads II and III exchanged", recording(signal(renamed_leads)), 0, "limb leads that contradict"),
    Case("a stretch without measurement (NaN)", recording(signal(gap)), 0, "a lead with gaps or clipped samples"),
    Case("a flat lead", recording(signal(flat)), 0, "a lead that was not recorded, flat or clipped"),
    Case("truncated .dat", recording(cut_file), 0, "has 4,700 bytes, its header promises 4,800"),
    Case("wrong checksum", recording(flip_bit), 0, "sums to .*, its header promises"),
    Case("a header that refers to itself", recording(itself), 0, "joins several segments"),
    Case("a header that announces 5,000 signals", recording(header("_lr 12 ", "_lr 5000 ")), 0, "at most 64"),
    Case("a header that announces no signal", recording(header("_lr 12 ", "_lr 0 ")), 0, "no recording in it"),
    Case("a lead of changed sign", recording(header("0 AVR\n", "0 -aVR\n")), 0, "it is aVR with its sign changed"),
    Case("a Git LFS pointer in place of a signal file", recording(pointer), 0, "run git lfs pull"),
    Case("a table cut short", recording(table(lambda text: text.encode()[:-40])), 1, "is cut inside its last line"),
    Case("own table: a column that is not there", own_table("record=fil"), 1, 'no column "fil"; .* mean "file"'),
    Case("own table: a field that is none", own_table("record=file,sexx=sex"), 1, 'field "sexx"; known: .* mean "sex"'),
    Case("own table: an age that is no number", own_table(age="old"), 1, 'line 3, column "age": no age of 0 to 150'),
    Case("own table: a sex in other words", own_table(sex="Frau"), 1, 'line 3, column "sex": no sex that is known'),
    Case("own table: a split in other words", own_table("record=file,split=part", part="x"), 1, "no split; write"),
    Case("own table: a record without a patient", own_table(person="nan"), 1, "no patient is named; give"),
    Case("own table: a recording listed twice", own_table(file="ecg/r0"), 1, "line 3 names the same recording again"),
    Case("own table: a label neither 0 nor 1", own_table("record=file,labels:x=AF+SB", SB="2"), 1, "nor 1, as a class"),
    Case("own table: free text as labels", own_table("record=file,labels:x=text", text="x" * 300), 1, "more than 200"),
    Case("own table: a file that is not there", own_table(file="ecg/gone"), 0, "record gone: no file is called so"),
    Case("own table: a path out of the folder", own_table(file="../r1"), 0, "is not below the folder of the table"),
    Case("own table: a damaged letter", own_table(spoil=one_byte), 1, r"UTF-8 and damaged \(byte 0xff in line 6\)"),
    Case("own table: an Excel workbook", own_table(spoil=workbook), 1, "an Excel workbook .* save the sheet as CSV"),
    Case("own table: columns without the files", own_table("patient=person"), 1, "which column holds the files"),
    Case("own table: the name of PTB-XL", own_table(more="--name=ptbxl"), 1, "name of a public collection"),
    Case("own cleaning rules: an expression", own_table(more="--cleaning=FOLDER/rules.json"), 1, "rule 1 is none"),
    Case("own prompts: unequal numbers of phrasings", prompts, None, r"unequal numbers .* \(own: 1, 2\)"),
    Case("sampling rate 0", recording(header(" 12 100 ", " 12 0 ")), 0, 'its rate is "0"'),
    Case("gain 0", recording(header("1000.0(0)/mV", "0(0)/mV")), 0, "is uncalibrated"),
    Case("header missing", recording(no_header), 0, r"00002_lr\.hea does not exist"),
    Case("signal file missing", recording(no_file), 0, "00002_lr.dat does not exist"),
    Case("a folder in the place of a signal file", recording(folder_in_place), 0, "00002_lr.dat is not a file"),
    Case("a signal file linked to elsewhere", recording(linked_elsewhere), 0, "a link to outside of the collection"),
    Case("a table's path out of the folder", recording(nothing, filename_lr="../x/2"), 0, "is not below the folder"),
    Case("most of the listed recordings missing", most_are_missing, 1, "20 of the 30 records .* or add --partial"),
    Case("the recordings go away during a conversion", folder_goes_away, 1, "records100 went away .*: it continues"),
    Case("a missing recording comes back after the seal", comes_back_after_the_seal, 1, "sealed without 1 rec"),
    Case(
        "a rate that is not the collection's",
        recording(header(" 12 100 ", " 12 200 ")),
        0,
        "200 Hz in a folder of 100 Hz",
    ),
    Case("microvolts said to be millivolts (record)", recording(header("1000.0(0)", "1(0)")), 0, "median peak-to-peak"),
    Case(
        "microvolts said to be millivolts (use)", lambda f: prepared(f, signal=1000 * heart(500)), None, 'likely "uV"'
    ),
    Case("a rate below the model's", lambda f: prepared(f, rate=50), None, "below the 100 Hz"),
    Case(
        "a table with names (use)", lambda f: prepared(f, signal=DataFrame(heart(500))), None, "columns would be lost"
    ),
    Case(
        "leads given as a set",
        lambda f: prepared(f, leads=set(LEADS)),
        None,
        "leads is a set, expected several in order",
    ),
    Case("a folder in place of a signal file (embed)", lambda f: embedding(f, no_signal_but_a_folder), 0, "1 left out"),
    Case("a recording of 30 s (embed)", lambda f: embedding(f, half_a_minute), 0, "r2: its first 10 of 30 s are used"),
    Case("a recording of another format (embed)", lambda f: embedding(f, another_format), 0, r"1 \.dcm: left out"),
    Case(
        "output in what is no folder (embed)",
        lambda f: embedding(f, a_file_in_the_way, out="file/e.npz"),
        1,
        r"file/e\.npz cannot be written",
    ),
    Case(
        "an infinite sample (use)",
        lambda f: prepared(f, signal=np.where(np.arange(5000) == 7, np.inf, heart(500))),
        None,
        r"infinite or above .*the first at \[0, 7\]",
    ),
    Case("the samples of one lead with twelve names", lambda f: prepared(f, signal=heart(500)[0]), None, "both axes"),
    Case("[time, lead] instead of [lead, time]", lambda f: prepared(f, signal=heart(500).T), None, "transpose it"),
    Case("empty report", recording(nothing, report=" "), 0, "no clinical text"),
    Case('report "nan" of a pandas frame', recording(nothing, report="nan"), 0, "no clinical text"),
    Case("a table with a cell of 200,000 letters", recording(nothing, report="x" * 200_000), 1, "field limit"),
    Case('patient "nan" of a pandas frame', recording(nothing, patient_id="nan"), 1, "no readable patient_id"),
    Case("record id twice", recording(nothing, ecg_id="3"), 1, "lists record 3 2 times"),
    Case("patient in two splits", recording(nothing, strat_fold="9", patient_id="1"), 1, "a patient in folds 9 and 2"),
    Case("output that cannot be written", unwritable_output, 1, "file/store"),
    Case("too little disk for a conversion", too_little_disk, 1, "are free; free some"),
    Case("disk fills up in the middle of a shard (*)", disk_fills_up_in_shard, 1, "shard 0 of store .*it continues"),
    Case("disk fills up during a checkpoint (*)", disk_fills_up_in_checkpoint, 1, "checkpoints/6 .* are untouched"),
    Case(
        "unknown config field", lambda f: training(f, "--config.optimizer.step=3"), 1, 'Did you mean "optimizer.steps"'
    ),
    Case("config value of another type", lambda f: training(f, "--config.optimizer.steps=many"), 1, "another type"),
    Case(
        "config value that no method knows",
        lambda f: training(f, "--config.method.stem=convolution"),
        1,
        'stem is "convolution". Did you mean "conv"',
    ),
    Case(
        "config value out of range", lambda f: training(f, "--config.optimizer.steps=0"), 1, "steps is 0; give a whole"
    ),
    Case("no store at that path", lambda f: training(f, "--config.data.stores=nowhere"), 1, "there is no store"),
    Case(
        "store: a value of dataset.json changed",
        store_with(changed_value),
        1,
        r"dataset\.json differs .* \(sha256\)",
    ),
    Case("store: samples said to be big-endian", store_with(big_endian), 1, r"zarr\.json does not describe"),
    Case("store: zarr.json nested 200,000 deep", store_with(nested), 1, r"zarr\.json is nested more than 64 deep"),
    Case("store: a seal that names a file elsewhere", store_with(names_elsewhere), 1, r"file is '\.\./\.\./x' where"),
    Case("store: a shard that is a link to elsewhere", store_with(link), 1, "leads out of the store"),
    Case("store: 3 kB of reports that are 1.5 GB", store_with(unpacks), 1, "unpacks into more than"),
    Case(
        "store: a token cache with a flipped bit",
        flipped_cache,
        0,
        r"cache/tokens\.npz differs from what was written .*; it is made again",
    ),
    Case("a report of 40,000 characters", recording(nothing, report="x" * 40_000), 1, "record 2 .*unclosed quotation"),
    Case("unfinished store: damaged settings", damaged_settings, 1, r"settings\.json is not valid JSON .*; delete"),
    Case("stores of different rates", other_rate, 1, "differ in rate"),
    Case("a store of another rate than the run's", store_of_another_rate, 1, "has rate 50.0, .* trained with 100.0"),
    Case("a path to weights that is wrong", wrong_weights, 1, "is not a whole run folder"),
    Case("a run folder of another config", changed_run, 1, "was written with another config"),
    Case(
        "a run folder: text in the place of a number",
        lambda f: other_values(f, data={"max_tokens": "x"}),
        1,
        "run/config.json: data.max_tokens is 'x', expected a whole number from 1 to 1,048,576; restore it",
    ),
    Case(
        "a run folder: a number of devices below 0",
        lambda f: other_values(f, run={"mesh": [-1, 1]}),
        1,
        "run/config.json: run.mesh is .*, expected a list of 2: a whole number from 0 to .*; restore it",
    ),
    Case("a model that no memory holds", larger_than_the_memory, 1, r"state take [\d,]+ GB, and there are"),
    Case("a run folder without input.json", lambda f: half_deleted(f, "input.json"), 1, "input.json is missing"),
    Case("a run folder without tokenizer", lambda f: half_deleted(f, "tokenizer"), 1, "no tokenizer.json"),
    Case("a run folder: another letter in its tokenizer", flipped_bit_in_tokenizer, 1, "tokenizer.json differs from"),
    Case("a run folder: another digit in input.json", flipped_bit_in_contract, 1, "input.json differs from what was"),
    Case("going on in a run folder without config.json", run_without_config, 1, "has no config.json; restore it"),
    Case("a run folder without checkpoints", lambda f: half_deleted(f, "checkpoints"), 1, "holds no checkpoint"),
    Case(
        "fine-tuning: a task that the store has not", task_of_no_store, 1, 'no task "finding". Did you mean "findings'
    ),
    Case("fine-tuning: a store without labels", store_without_labels, 1, "has no labels to learn; convert"),
    Case("fine-tuning: a store of another rate", labels_of_another_rate, 1, "has rate 50.0, the run was trained with"),
    Case(
        "fine-tuning: no labels in the training folds", nothing_to_learn_from, 1, "no labelled record .* to learn from"
    ),
    Case(
        "fine-tuning: some blocks of an encoder that names none",
        tuned_with("--config.method.encoder_trained=1"),
        1,
        "of toy, whose blocks are not told apart; leave config.method.encoder_trained",
    ),
    Case(
        "fine-tuning: pooling of tokens that the encoder has not",
        tuned_with("--config.method.head_pooling=attention"),
        1,
        "the encoder is of toy, which gives no tokens; give main",
    ),
    Case("delineation: a store without marked waves", store_without_waves, 1, "holds no waves; name one of a"),
    Case("delineation: an encoder of another kind", encoder_without_tokens, 1, "whose tokens are not each of one lead"),
    Case("evaluation: no record in the split", store_without_the_split, 1, "no record in the validation split"),
    Case(
        "evaluation: metrics.jsonl edited by hand",
        lambda f: scored(f, "metrics.jsonl", '{"step": "one"}\n'),
        1,
        "line 1 of run/metrics.jsonl is not a step",
    ),
    Case(
        "evaluation: results of the other protocol nested 200,000 deep",
        lambda f: scored(f, "evaluation/synthetic/validation/merl/results.json", "[" * 200_000),
        1,
        "results.json is nested more than .* evaluate the run again",
    ),
    Case(
        "evaluation: a diagnostics.json of something else",
        lambda f: scored(f, "evaluation/synthetic/validation/diagnostics.json", '{"ranks": 3}'),
        1,
        "run experiments.diagnose again, or delete the file",
    ),
    Case(
        "evaluation: a record for the patient's page that is not there (--case)",
        case_of_nobody,
        1,
        '--case: the store has no record "nobody"; give one of',
    ),
    Case(
        "evaluation: a file in the place of its folder",
        lambda f: scored(f, "evaluation", ""),
        1,
        "run/evaluation.*(File exists|Not a directory)",
    ),
    Case(
        "report: another digit in report.json",
        changed_report,
        1,
        r"report\.json differs from what was written \(sha256\); run experiments\.evaluate again",
    ),
    Case(
        "report: a report.json of another evaluation",
        report_beside_other_results,
        1,
        r"report\.json was not written with the results\.json beside it; run experiments\.evaluate again",
    ),
    Case("a checkpoint that its run has removed", pruned_checkpoint, 1, r"no checkpoint of step 2; it has \[4, 6\]"),
    Case("model folder: a tensor renamed", lambda f: model(f, renamed), None, "is missing; params/temperature is not"),
    Case("model folder: a tensor of another dtype", lambda f: model(f, other_dtype), None, "F16.*expected F32"),
    Case("model folder: a weight that is NaN", lambda f: model(f, no_number), None, "temperature are not finite; copy"),
    Case("model folder: wrong path", lambda f: raised(lambda: load(f / "nowhere")), None, "there is no model folder"),
    Case("model folder: a run folder in its place", run_in_place_of_model, None, "is a run folder; .* makes a model"),
    Case("text encoder: a folder of something else", lambda f: text_encoder(f, without_config), None, "place there"),
    Case("text encoder: weights cut short", lambda f: text_encoder(f, cut_weights), None, "download or copy it again"),
    Case("text encoder: a tokenizer of another model", lambda f: text_encoder(f, longer_vocabulary), None, "id 20"),
    Case(
        "a folder that is not there, called as on the hub",
        misspelt_folder,
        None,
        "is meant, write hf",
    ),
    Case(
        "entities: an address of a language model without http", no_address, 1, "--endpoint is no address of the form"
    ),
    Case(
        "entities: the variable of a key that is not set", key_not_set, 1, "KEY_THAT_IS_NOT_SET .* is empty or not set"
    ),
    Case("entities: a language model that wants a key", key_wanted, 1, "status 401; name the environment variable"),
    Case("entities: a language model that has moved", moved, 1, "status 307; it moves elsewhere, and nothing is sent"),
    Case("entities: a language model that chats", chatter, 1, "reports have no valid answer after 3 tries each"),
    Case("a hub address without revision", hub_without_revision, None, "is not of the form .* give the commit"),
    Case("text encoder: a hub address without network", hub_without_network, None, "the network, or place"),
)


def outcome(case: Case, folder: Path) -> Outcome:
    """The case run in that empty folder, whose path is left out of the sentence."""
    code, sentence = case.make(folder)
    return Outcome(code, " ".join(sentence.replace(f"{folder}/", "").split()))
