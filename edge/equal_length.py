"""Pages of one length whatever was chosen: TLS hides what a page says, not how long it is."""

from collections.abc import Callable

from edge.ballot_form import CHOICES


def equally_long(render: Callable[[str], str], vote: str) -> str:
    """Return the page of a choice, with blanks at its end up to the longest of any choice.

    The page is made for every choice: so it holds for whatever templates and translations say, and
    takes as long to make. What is no choice shows none, and is left as it is.
    """
    if vote not in CHOICES:
        return render(vote)
    pages = {choice: render(choice) for choice in sorted(CHOICES)}
    length_bytes = max(len(page.encode()) for page in pages.values())
    return pages[vote] + " " * (length_bytes - len(pages[vote].encode()))
