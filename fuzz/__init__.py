"""Hostile input for every parser: it gives a result or its declared error, soon, and nothing else.

    python -m fuzz                          the names of the targets
    python -m fuzz http1_head --seconds 60  one of them
    python -m fuzz all --seconds 300        all of them, one after the other

With atheris installed (``pip install atheris``) inputs are found by the code that they reach;
without it they are made from the corpus by chance, which is a good deal weaker but needs nothing.
What is found is written to ``fuzz/findings``, and ``python -m fuzz TARGET --replay FILE`` repeats
it.  The tests replay ``fuzz/corpus`` (tests/fuzz), so an input that once found something belongs
there.
"""
