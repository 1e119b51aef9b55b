import pytest

from pokewatch.collection.printing_columns import with_flags


@pytest.mark.parametrize(
    ("values", "printing"),
    [
        ({"printing": "Reverse Holofoil"}, "Reverse Holofoil"),
        ({"printing": ""}, "empty"),
        ({}, ""),
        ({"printing": "yes"}, "Foil"),
        ({"printing": "FALSE"}, "Normal"),
        ({"reverse": "x", "holo": "x"}, "Reverse Holofoil"),
        ({"holo": "✓"}, "Holofoil"),
        ({"holo": "", "reverse": ""}, "Normal"),
        ({"printing": "Holofoil", "first_edition": "1"}, "1st Edition Holofoil"),
        ({"printing": "Normal", "print_run": "First Edition"}, "1st Edition"),
        ({"printing": "1st Edition Holofoil", "first_edition": "yes"}, "1st Edition Holofoil"),
        ({"printing": "Normal", "print_run": "Unlimited"}, "Unlimited"),
        ({"printing": "Holofoil", "print_run": "Unlimited"}, "Holofoil"),
    ],
    ids=str,
)
def test_columns_add_up_to_a_printing(values: dict[str, str], printing: str) -> None:
    assert with_flags(values, "empty") == printing
