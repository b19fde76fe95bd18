"""The pages of the service: a form, and what the network says of a recording; without scripts, and without the network."""

import base64
from typing import Any

from ecg_lightning import __version__
from ecg_lightning.figures.flags import flags_text
from ecg_lightning.report.palette import style_sheet
from ecg_lightning.report.render import templates
from ecg_lightning.service.answer import Answer, Service

_ENVIRONMENT = templates("ecg_lightning.service")


def form_page(service: Service, error: str = "") -> str:
    """Returns the page with the form.

    Args:
        service: the network and its limits.
        error: a sentence above the form that says what was wrong with the last upload.
    """
    return _render(service, error=error, answer=None, title="Predict an ECG")


def answer_page(service: Service, answer: Answer) -> str:
    """Returns the page with what the network says of a recording, and the form for the next.

    Args:
        service: the network and its limits.
        answer: with its picture and its saliency.
    """
    count = len(answer.positive)
    title = f"{count or 'No'} positive term{'' if count == 1 else 's'}"
    picture = base64.b64encode((answer.picture or "").encode()).decode()
    shaded = [item.term for item in answer.saliency or []]
    return _render(
        service, error="", answer=answer, title=title, picture=picture, shaded=shaded, flags=flags_text(answer.flags)
    )


def _render(service: Service, **values: Any) -> str:
    predictor = service.predictor
    return _ENVIRONMENT.get_template("page.html.j2").render(
        colours=style_sheet(),
        version=__version__,
        network=service.name,
        terms=len(predictor.terms),
        rate=predictor.sampling_rate,
        window=predictor.window / predictor.sampling_rate,
        megabytes=service.limits.most_bytes >> 20,
        seconds=service.limits.recording_seconds,
        **values,
    )
