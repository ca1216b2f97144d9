"""The root helper over Fibre Channel: tests of test_helper, its devices and growth again, with four paths.

Every day those in which the link matters; in `make soak` more, but for what is about iSCSI itself.
"""

from __future__ import annotations

import pytest

from tests.lab import test_growth, test_helper, test_helper_devices
from tests.soak import WHOLE, in_turn

DAILY = (
    test_helper.test_a_volume_goes_through_its_life_and_every_step_may_be_repeated,
    test_helper_devices.test_a_volume_that_is_not_mapped_is_said_to_be_missing,
    test_helper_devices.test_another_volume_behind_the_lun_is_refused_naming_both,
    test_helper_devices.test_a_lun_number_used_again_never_shows_the_old_volume,
    test_helper_devices.test_a_lun_that_the_array_took_away_leaves_nothing_on_the_host,
)
GROWTH = (test_growth.test_growth_that_is_repeated_changes_nothing,)
"""In `make soak` all of test_growth runs over both links."""
SOAK = (
    test_helper.test_xfs_is_made_mounted_and_found_again,
    test_helper.test_data_without_a_signature_are_not_formatted_wherever_they_are,
    test_helper.test_a_broken_off_format_is_repeated_only_with_its_record_and_over_its_superblock,
    test_helper_devices.test_a_wrong_size_is_refused,
    test_helper_devices.test_stale_disks_that_nobody_uses_are_replaced,
    test_helper_devices.test_a_volume_in_use_is_neither_detached_nor_mounted,
    test_helper_devices.test_a_mounted_volume_that_the_array_took_away_is_taken_down,
    test_helper_devices.test_without_multipathd_one_path_serves_if_that_is_allowed,
)
programs, mounted = test_growth.programs, test_growth.mounted  # fixtures
globals().update({test.__name__: test for test in (*DAILY, *(SOAK if WHOLE else GROWTH))})
pytestmark = [pytest.mark.lab, in_turn(0, 2)]


@pytest.fixture(scope="module")
def link() -> str:
    """The link of this module's rig."""
    return "fc"
