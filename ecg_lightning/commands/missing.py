"""What the recordings of a command lacked: leads and patient data that the network sees."""

import sys
from collections import Counter

from ecg_lightning.evaluation.fewer_leads import known_loss
from ecg_lightning.evaluation.predictor import Predictor
from ecg_lightning.records import Record


class Missing:
    """Counts what recordings lack of a network's input.

    Args:
        predictor: the network.
    """

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor
        self.leads: Counter[tuple[str, ...]] = Counter()
        self.columns: Counter[tuple[str, ...]] = Counter()

    def add(self, record: Record) -> None:
        """Counts a recording that the network has taken."""
        self.leads[self.predictor.missing_leads(record)] += 1
        self.columns[self.predictor.unknown_metadata(record)] += 1

    def report(self) -> None:
        """Prints on stderr which leads and which patient data were missing, and what that means."""
        of_leads = [f"{', '.join(leads)} in {count}" for leads, count in self.leads.most_common() if leads]
        total = self.leads.total()
        if of_leads:
            shown = "; ".join(of_leads[:5]) + (" …" if len(of_leads) > 5 else "")
            print(
                f"Leads that the network sees are missing in {total - self.leads[()]} of {total} recordings ({shown}). "
                f"{known_loss(self.predictor.card)}",
                file=sys.stderr,
            )
        for column in self.predictor.metadata:
            if count := sum(number for columns, number in self.columns.items() if column in columns):
                print(
                    f"The network sees {column} beside the signal, and {count} of {total} recordings do not say it. For "
                    "these it counts as unknown.",
                    file=sys.stderr,
                )
