"""Who belongs to which group."""

import numpy as np

from cgdmer_jax.evaluation.subgroups import groups_of

SEX = np.array(["female"] * 60 + ["male"] * 59 + [None], object)
AGE = np.array([39.9, 40, 64.9, 65, 89, np.nan] * 20, np.float32)
DEVICE = np.array(["AT-6   C"] * 50 + ["CS-12"] * 49 + ["rare"] * 20 + [None], object)


def test_every_record_is_in_one_group_of_each_kind():
    groups = groups_of(SEX, AGE, DEVICE)
    for kind in ("sex", "age", "device"):
        members = [m for name, m in groups.items() if name.startswith(kind)]
        np.testing.assert_array_equal(np.sum(members, axis=0), 1)


def test_ages_are_cut_at_40_and_65_and_small_devices_stand_together():
    counts = {name: int(members.sum()) for name, members in groups_of(SEX, AGE, DEVICE).items()}
    assert counts == {
        "sex=female": 60,
        "sex=male": 59,
        "sex=unknown": 1,
        "age<40": 20,
        "age=40-64": 40,
        "age>=65": 40,
        "age=unknown": 20,
        "device=AT-6 C": 50,
        "device=other": 70,
    }


def test_a_group_without_members_is_left_out():
    groups = groups_of(SEX[[119, 0]], AGE[[119, 0]], DEVICE[[119, 0]])
    assert groups["sex=unknown"].tolist() == [True, False] and groups["sex=female"].tolist() == [False, True]
    assert "sex=male" not in groups
