"""The report's training curves: lines of metrics.jsonl, panel by panel."""

from collections.abc import Sequence

from cgdmer_jax.report.plots import line_chart

# Panel -> name of a line -> field of metrics.jsonl; a panel without a point is left out.
CURVES = {
    "Loss": {"training": "loss", "validation": "validation_loss"},
    "Reconstruction": {"training": "ecg", "validation": "validation_ecg"},
    "Cross reconstruction": {"training": "cross", "validation": "validation_cross"},
    "Report words": {"training": "text", "validation": "validation_text"},
    "Alignment": {"training": "align", "validation": "validation_align"},
    "Entities": {"training": "entities", "validation": "validation_entities"},
    "Report matching": {"training": "match", "validation": "validation_match"},
    "Disentangling": {"training": "disentangle", "validation": "validation_disentangle"},
    "Retrieval": {"recall at 10": "validation_ecg_to_text_recall_at_10"},
}


def curves_section(metrics: Sequence[dict]) -> str:
    """HTML; empty where no field has three points. A panel that has fewer is named instead."""
    charts, few = [], []
    for title, lines in CURVES.items():
        series = {}
        for name, field in lines.items():
            # null is a figure that was not known
            points = [(entry["step"], entry[field]) for entry in metrics if entry.get(field) is not None]
            series[name] = ([p[0] for p in points], [p[1] for p in points])
        chart = line_chart(series, title=title, x_label="step")
        if chart:
            charts.append(chart)
        elif any(x for x, _ in series.values()):
            few.append(title)
    if not charts:
        return ""
    left_out = f"<p>Fewer than three points, so no curve: {', '.join(few)}.</p>" if few else ""
    return f'<h2>Training</h2>\n{left_out}<div class="plots">{"".join(charts)}</div>'
