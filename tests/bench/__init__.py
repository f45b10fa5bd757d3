# SPDX-License-Identifier: MIT

from tests import soak  # noqa: F401 - it loads the firmware as the simulator does
