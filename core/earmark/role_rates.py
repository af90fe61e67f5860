"""The sample rate of each role: one that is given, else the sound's own, else the one found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from earmark.outputs.roles import of_role
from earmark.outputs.sounds import is_array
from earmark.rate import checked_rate


@dataclass(frozen=True)
class RoleRates:
    """What is known of the sample rates of all roles, in Hz.

    Args:
        given: One for all roles, or by role; those that are not named have the one found.
        found: What is meant if neither `given` nor the sound itself says.
    """

    given: int | Mapping[str, int] | None = None
    found: int | None = None

    def given_to(self, roles: Iterable[str]) -> dict[str, int]:
        """The rates that are given for these roles, or for the roles that they are stems of."""
        rates = {role: of_role(self.given, role) for role in roles}
        return {role: rate for role, rate in rates.items() if rate is not None}

    def paired(self, role: str, sounds: Any, came: int | None) -> Any:
        """Put its rate beside each sound that says none.

        Args:
            role: What the sounds are, for example `"prediction"`.
            sounds: A tensor or an array, the first axis that of the batch, or a list of sounds.
            came: The rate that came with all of them, if one did.

        Returns:
            The sounds, or pairs with their rate; a rate that is given is left to be agreed on.
        """
        if came is not None:
            return sounds, came
        if self.found is None or of_role(self.given, role) is not None:
            return sounds
        if isinstance(sounds, list):  # some of them may well have their own
            return [(sound, self.found) if is_array(sound) else sound for sound in sounds]
        return sounds, self.found


def checked_rates(sample_rate: Any) -> int | dict[str, int] | None:
    """Make plain integers of a sample rate, or of one for each role.

    Raises:
        SampleRateError: If one is no positive integer.
    """
    if sample_rate is None:
        return None
    if isinstance(sample_rate, Mapping):
        return {str(role): checked_rate(rate) for role, rate in sample_rate.items()}
    return checked_rate(sample_rate)
