"""Chapman-Shaoxing-Ningbo: `ecg-arrhythmia` 1.0.0 of PhysioNet (Zheng et al. 2020, 2022).

Labels are the codes of each header, exactly. MERL's published tables set classes by parts of acronyms
(docs/evaluation.md, "Protocol merl"); they are scored in that protocol and enter no store.
"""

from pathlib import Path

from cgdmer_jax.data.sources.dx_headers import open_dx_folder
from cgdmer_jax.data.sources.source import Source


def open_source(root: Path, rate: int, *, follow_links: bool = False) -> Source:
    """The folder that holds WFDBRecords, or a part of it."""
    return open_dx_folder(
        root,
        name="csn",
        licence="CC BY 4.0",
        citation=(
            "Zheng, Guo, Chu: A large scale 12-lead electrocardiogram database for arrhythmia study (version 1.0.0). "
            "PhysioNet (2022), doi:10.13026/wgex-er52; Zheng, Chu, Struppa, Zhang, Yacoub, El-Askary, Chang, "
            "Ehwerhemuepha, Abudayyeh, Barrett, Fu, Yao, Li, Guo, Rakovski: Optimal Multi-Stage Arrhythmia "
            "Classification Approach. Scientific Reports 10:2898 (2020)"
        ),
        follow_links=follow_links,
        rate=500.0,
    )
