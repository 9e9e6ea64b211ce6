"""A node is back, with what its kernel still has: does it go on where it was?"""

from couple import check, couple, moves, wait_says


def test_who_was_cut_off_adopts_nothing():
    """It died with its cable; within its lease it is back, and hears nobody yet, when the other one has long claimed."""
    with couple() as lab:
        lab.start()
        active = lab.active()
        other, known = lab.other(active), len(moves(active))
        lab.crash(active)
        wait_says(other, role="active", cause="peer_silent")
        lab.plug(active, True)
        active.start_lbd()
        active.start_hafailover()
        wait_says(active, role="backup")
        wait_says(other, role="active", alarms=[])
        back = moves(active, known)
        check(all(cause != "adopted" for _, _, cause in back), f"{back}")
        # Its last heartbeats have waited for the cable: they are no second Active.
        check("dual_active" not in other.log(), other.log())
        check(moves(other)[-1][1] == "active", f"{moves(other)}")
