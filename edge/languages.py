"""Which of the two official languages a client asks for."""

from edge.problems import Language


def preferred_language(accept_language: str) -> Language:
    """Return the language that an `Accept-Language` header prefers; English if it says neither."""
    weights: dict[Language, float] = {"en": 0.0, "fr": 0.0}
    for part in accept_language.split(",")[:20]:
        tag, _, parameters = part.strip().partition(";")
        weight = _weight(parameters)
        match tag.strip().lower().partition("-")[0]:
            case "fr":
                weights["fr"] = max(weights["fr"], weight)
            case "en":
                weights["en"] = max(weights["en"], weight)
    return "fr" if weights["fr"] > weights["en"] else _first_of(accept_language, weights)


def _first_of(accept_language: str, weights: dict[Language, float]) -> Language:
    """Break a tie: of two equal weights, the language named first."""
    if weights["fr"] == weights["en"] > 0:
        lowered = accept_language.lower()
        return "fr" if lowered.find("fr") < lowered.find("en") else "en"
    return "en"


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return min(max(float(value), 0.0), 1.0)
    except ValueError:
        return 0.0
