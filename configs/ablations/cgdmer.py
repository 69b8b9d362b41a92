"""CG-DMER's ablations (issue 8): what each part of the objective is worth, then one switch a row.

`python -m experiments.ablate --grid=configs/ablations/cgdmer.py --store=stores/ptbxl100`
"""

STEPS = 300  # of 64 records: 9 to 25 minutes and 7 to 17 to score in results/, two at a time on 2 shared cores
LONG = 2400  # rows that ask whether something holds in a longer training


def get_grid() -> dict:
    """Plain values: `overrides` are config fields; every row is `config`, the common overrides and its own."""
    three, one = (0, 1, 2), (0,)
    long = {"optimizer.steps": LONG, "run.validate_every": LONG, "run.diagnose_every": LONG}
    without_alignment = {"method.weight_align": 0.0, "method.weight_disentangle": 0.0}
    return {
        "config": "configs/cgdmer.py:nano",
        "overrides": {
            "optimizer.steps": STEPS,
            "run.validate_every": STEPS,
            "run.diagnose_every": STEPS,
            "run.checkpoint_every": STEPS // 3,
            "run.keep_last": 1,
            # What nano started from, whatever these rows make of it: a changed default must not run the grid again.
            "method.stem": "linear",
            "method.scale_feature": False,
            "method.weight_ecg": 1.0,
            "method.statement_dropout": 0.3,
            "method.column_queries": True,
            "data.min_patients": 1,
        },
        "reference": "both",
        "rows": {
            "both": {"overrides": {}, "seeds": three},
            "masked": {"overrides": without_alignment, "seeds": three},
            "contrast": {
                "overrides": {"method.weight_ecg": 0.0, "method.weight_text": 0.0, "method.weight_disentangle": 0.0},
                "seeds": three,
            },
            "both_without_disentangling": {"overrides": {"method.weight_disentangle": 0.0}, "seeds": three},
            "siglip": {"overrides": {"method.alignment": "siglip"}, "seeds": three},
            "same_text_positives": {"overrides": {"method.same_text": "positives"}, "seeds": one},
            "random_masking": {"overrides": {"method.masking": "random"}, "seeds": one},
            "align_lightly_masked": {"overrides": {"method.align_mask_ratio": 0.5}, "seeds": one},
            "align_hardly_masked": {"overrides": {"method.align_mask_ratio": 0.25}, "seeds": three},
            "convolutional_stem": {"overrides": {"method.stem": "conv"}, "seeds": three},
            "place_queries": {"overrides": {"method.column_queries": False}, "seeds": three},
            "whole_reports": {"overrides": {"method.statement_dropout": 0.0}, "seeds": three},
            "ecg_weight_10": {"overrides": {"method.weight_ecg": 10.0}, "seeds": three},
            "cross_reconstruction": {"overrides": {"method.weight_cross": 1.0}, "seeds": three},
            "scale_from_visible_samples": {"overrides": {"method.scaling": "visible_samples"}, "seeds": three},
            "both_2400": {"overrides": long, "seeds": one},
            "masked_2400": {"overrides": long | without_alignment, "seeds": one, "reference": "both_2400"},
        },
    }
