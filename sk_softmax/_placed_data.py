"""Data that are elsewhere, as a fit wants to know of them."""

from dataclasses import dataclass, replace
from functools import partial

import dask
import numpy as np
from scipy import sparse

from sk_softmax._classes import are_text, weights_of_classes
from sk_softmax._collections import partitions_of
from sk_softmax._shares import Formulation, PartitionFacts, checked, split
from sk_softmax._training_data import check_held_out_data, check_training_data


@dataclass
class PlacedData:
    """What `TrainingData` say of themselves, of partitions that a `Here` or a `Cluster` keeps.

    `facts` are the `PartitionFacts`, and `class_weight` the weights of the classes.
    """

    offset = None

    classes: np.ndarray
    weighted: np.ndarray
    class_weight: np.ndarray
    total_weight: float
    n_features: int
    n_jobs: int | None
    place: object
    partitions: list
    facts: list

    def rows(self, label_smoothing, threads):
        """The `Rows`, with the classes that have weight; afterwards the partitions are gone."""
        formulation = Formulation(
            self.classes, self.weighted, self.class_weight, self.total_weight, label_smoothing
        )
        partitions, self.partitions = self.partitions, None
        counts = [self._weight_of(fact) > 0 for fact in self.facts]
        partitions = [p for p, some in zip(partitions, counts, strict=True) if some]
        sizes = [fact.n_bytes for fact, some in zip(self.facts, counts, strict=True) if some]
        return self.place.rows(partitions, sizes, formulation.joined, self.n_jobs, threads)

    def hold_out(self, fraction, random_state):
        """Data to train on, and data held out: a fraction of each class of each partition."""
        seeds = random_state.randint(2**31 - 1, size=len(self.partitions)).tolist()
        parts = []
        for held_out in (False, True):
            take = partial(split, fraction=fraction, held_out=held_out)
            partitions = self.place.map(take, self.partitions, seeds)
            facts = self.place.gather(self.place.map(PartitionFacts.of, partitions))
            total = sum(map(self._weight_of, facts))
            parts.append(replace(self, partitions=partitions, facts=facts, total_weight=total))
        return tuple(parts)

    def _weight_of(self, fact):
        """The weight of the rows of a partition."""
        if fact.n_samples == 0:
            return 0.0
        places = np.searchsorted(self.classes, fact.classes)
        return float(fact.class_totals @ self.class_weight[places])


def placed(estimator, place, X, y, sample_weight):
    """The `PlacedData` that `fit` was given; sets the names of the features on `estimator`."""
    partitions, facts = _checked_partitions(place, X, y, sample_weight)
    marginal = _Marginal.of(facts)
    data = check_training_data(estimator, *marginal, estimator.class_weight)
    class_weight = np.ones(len(data.classes))
    if estimator.class_weight is not None:
        codes = np.searchsorted(data.classes, marginal.classes)
        class_weight = weights_of_classes(
            estimator.class_weight, data.classes, codes, marginal.totals
        )
    if estimator.class_weight is not None and any(fact.is_soft for fact in facts):
        # A row of probabilities has the mean weight of its classes, and lends it to all of them.
        ask = partial(PartitionFacts.of, classes=data.classes, class_weight=class_weight)
        marginal = _Marginal.of(place.gather(place.map(ask, partitions)))
        data = check_training_data(estimator, *marginal, None)
    return PlacedData(
        data.classes,
        data.weighted,
        class_weight,
        data.total_weight,
        data.n_features,
        estimator.n_jobs,
        place,
        partitions,
        facts,
    )


def placed_held_out(estimator, X, y, sample_weight, training):
    """The `PlacedData` of rows held out, checked against those of `training`."""
    partitions, facts = _checked_partitions(training.place, X, y, sample_weight, "_val")
    held_out = check_held_out_data(estimator, *_Marginal.of(facts, "_val"), None, training)
    return replace(
        training,
        class_weight=np.ones(len(training.classes)),
        total_weight=held_out.total_weight,
        partitions=partitions,
        facts=facts,
    )


def _checked_partitions(place, X, y, sample_weight, suffix=""):
    """Validated partitions, which are elsewhere, and their facts."""
    check = dask.delayed(partial(checked, suffix=suffix), pure=False)
    triples = partitions_of(X, y, sample_weight, suffix)
    partitions = place.compute([check(i, *triple) for i, triple in enumerate(triples)])
    return partitions, place.gather(place.map(PartitionFacts.of, partitions))


@dataclass
class _Marginal:
    """One row for each class, with its weight: all that classes and weights depend on.

    So whatever is checked of classes and weights is checked where the rows are not.
    """

    X: object
    classes: np.ndarray
    totals: np.ndarray

    def __iter__(self):
        return iter((self.X, self.classes, self.totals))

    @classmethod
    def of(cls, facts, suffix=""):
        """That of all partitions."""
        known = [(i, fact) for i, fact in enumerate(facts) if fact.n_samples]
        if not known:
            raise ValueError(f"X{suffix} has no rows of positive weight in any partition.")
        _refuse_differences(known, suffix)
        classes, codes = np.unique(
            np.concatenate([fact.classes for _, fact in known]), return_inverse=True
        )
        totals = np.bincount(codes, np.concatenate([fact.class_totals for _, fact in known]))
        first = known[0][1]
        shape = len(classes), first.n_features
        X = sparse.csr_array(shape)
        if first.feature_names is not None:
            import pandas as pd

            X = pd.DataFrame(np.zeros(shape), columns=first.feature_names)
        return cls(X, classes, totals)


def _refuse_differences(known, suffix):
    """All partitions must have the columns of the first, and labels of the same kind."""
    first_number, first = known[0]
    for number, fact in known:
        about = f"Partition {number} of X{suffix}"
        if fact.n_features != first.n_features:
            raise ValueError(
                f"{about} has {fact.n_features} columns, and partition {first_number} "
                f"{first.n_features}."
            )
        if not np.array_equal(fact.feature_names, first.feature_names):
            raise ValueError(f"{about} has other columns than partition {first_number}.")
        if are_text(fact.classes) != are_text(first.classes):
            raise ValueError(
                f"y{suffix} has text in some partitions and numbers in others: "
                f"{first.classes[:3]} in partition {first_number}, {fact.classes[:3]} in "
                f"partition {number}."
            )
