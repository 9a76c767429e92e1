import pytest

from gateway_common.object_store import ObjectKey, ObjectStore, identify

A, B, ELSEWHERE = ObjectKey("dask", "a"), ObjectKey("dask", "b"), ObjectKey("other", "c")


def test_an_object_is_identified_by_namespace_and_name_and_its_version_is_a_number() -> None:
    manifest = {"metadata": {"namespace": "dask", "name": "a", "resourceVersion": "1000000007"}}

    assert identify(manifest) == (A, 1000000007)


def test_an_object_of_the_whole_cluster_has_an_empty_namespace() -> None:
    assert identify({"metadata": {"name": "n", "resourceVersion": "1"}})[0] == ObjectKey("", "n")


def test_the_same_and_older_versions_are_here_already() -> None:
    store: ObjectStore[str] = ObjectStore()
    store.put(A, 9, "x")

    assert [store.has(A, version) for version in (8, 9, 10)] == [True, True, False]
    assert not store.has(B, 1)


def test_the_index_follows_a_value_that_changes_its_group() -> None:
    store: ObjectStore[str] = ObjectStore(index=lambda value: value[0])
    store.put(A, 1, "x1")
    store.put(B, 2, "x2")

    store.put(A, 3, "y1")

    assert store.by_index("x") == ["x2"]
    assert store.by_index("y") == ["y1"]
    assert store.by_index("z") == []


def test_a_value_without_a_group_is_found_by_key_only() -> None:
    store: ObjectStore[str] = ObjectStore(index=lambda value: value or None)
    store.put(A, 1, "")

    assert store.by_index(None) == []
    assert store.get(A) == ""


def test_a_value_whose_group_cannot_be_told_leaves_the_old_one() -> None:
    store: ObjectStore[str] = ObjectStore(index=lambda value: value[0])
    store.put(A, 1, "x")

    with pytest.raises(IndexError):
        store.put(A, 2, "")

    assert store.by_index("x") == ["x"]
    assert store.remove(A, 3)


def test_a_removed_object_is_gone_from_the_index_too() -> None:
    store: ObjectStore[str] = ObjectStore(index=lambda value: value)
    store.put(A, 1, "x")

    assert store.remove(A, 2)

    assert store.get(A) is None
    assert store.by_index("x") == []
    assert store.values() == []


def test_a_deletion_older_than_the_stored_version_is_of_its_predecessor() -> None:
    store: ObjectStore[str] = ObjectStore()
    store.put(A, 7, "made again")

    assert not store.remove(A, 5)
    assert not store.remove(B, 5)

    assert store.get(A) == "made again"


def test_missing_are_those_a_list_of_that_namespace_should_have_shown() -> None:
    store: ObjectStore[str] = ObjectStore()
    store.put(A, 5, "a")
    store.put(B, 11, "newer than the list")
    store.put(ELSEWHERE, 5, "c")

    assert store.missing("dask", set(), 10) == [A]
    assert store.missing("dask", {A}, 10) == []
    assert store.missing(None, set(), 10) == [A, ELSEWHERE]


def test_after_ageing_any_version_is_newer() -> None:
    store: ObjectStore[str] = ObjectStore()
    store.put(A, 500, "a")
    store.put(ELSEWHERE, 500, "c")

    store.age("dask")

    assert not store.has(A, 1)
    assert store.has(ELSEWHERE, 1)
    assert store.missing("dask", set(), 1) == [A]
