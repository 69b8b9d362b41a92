"""PhysioNet/CinC Challenges 2020 and 2021: any folder of their training sets (Alday et al. 2020, Reyna et al. 2021)."""

from pathlib import Path

from cgdmer_jax.data.sources.dx_headers import open_dx_folder
from cgdmer_jax.data.sources.source import Source


def open_source(root: Path, rate: int, *, follow_links: bool = False) -> Source:
    """One source set or all of them, however deep its folders lie; read at each recording's own rate."""
    return open_dx_folder(
        root,
        name="cinc",
        licence="CC BY 4.0",
        citation=(
            "Reyna, Sadr, Perez Alday, Gu, Shah, Robichaux, Rad, Elola, Seyedi, Ansari, Ghanbari, Li, Sharma, "
            "Clifford: Will Two Do? Varying Dimensions in Electrocardiography: The PhysioNet/Computing in Cardiology "
            "Challenge 2021. Computing in Cardiology 48 (2021); PhysioNet, doi:10.13026/34va-7q14"
        ),
        follow_links=follow_links,
        rate=None,  # 500 Hz, but 257 of St Petersburg's and 1,000 of PTB's
    )
