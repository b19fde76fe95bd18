"""`validate`: measures a checkpoint on a source's validation folds."""

from collections.abc import Sequence


def validate(arguments: Sequence[str]) -> int:
    """Checks the configuration before torch and lightning are imported, which takes seconds; then measures."""
    from ecg_lightning.config.compose import compose, with_run_config
    from ecg_lightning.config.schema import check, check_paths

    arguments = with_run_config(arguments)
    config = compose(arguments)
    check(config, needed=())
    check_paths(config)
    from ecg_lightning.evaluation.evaluate import evaluate

    return evaluate("val", arguments)
