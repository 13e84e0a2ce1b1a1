from kickstand.kernel.cache import Recent


def test_the_value_unused_for_longest_leaves() -> None:
    recent: Recent[str, int] = Recent(2)
    recent.put("a", 1)
    recent.put("b", 2)
    assert recent.get("a") == 1
    recent.put("c", 3)
    assert (recent.get("a"), recent.get("b"), recent.get("c")) == (1, None, 3)


def test_a_value_is_replaced_and_forgotten() -> None:
    recent: Recent[str, int] = Recent(2)
    assert recent.put("a", 1) == 1
    assert recent.put("a", 2) == 2
    assert recent.get("a") == 2
    recent.clear()
    assert recent.get("a") is None
