/* identity.c - libcap-ng does the order of system calls; we check that nothing is left. */
#include "lbd/supervisor/identity.h"

#include <cap-ng.h>
#include <errno.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

int
identity_find(struct identity *id, struct str user, struct err *err)
{
	const struct passwd *pw;

	*id = (struct identity){ .uid = geteuid(), .gid = getegid() };
	if (!user.n)
		return 0;
	errno = 0;
	pw = getpwnam(user.p);
	if (!pw)
		return err_set(err, -ENOENT, "user: there is no user \"%.*s\"", STR_ARG(user));
	if (pw->pw_uid == geteuid())
		return 0;
	if (geteuid() != 0)
		return err_set(err, -EPERM,
		    "user: only root can become \"%.*s\"; start lbd as root or as that user",
		    STR_ARG(user));
	*id = (struct identity){ .change = true, .uid = pw->pw_uid, .gid = pw->pw_gid };
	return 0;
}

/* The bounding set can only be emptied with CAP_SETPCAP; no_new_privs makes it irrelevant anyway. */
static capng_select_t
droppable(void)
{
	capng_select_t set = CAPNG_SELECT_CAPS | CAPNG_SELECT_AMBIENT;

	return capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) ? set | CAPNG_SELECT_BOUNDS
								   : set;
}

int
identity_assume(const struct identity *id, struct err *err)
{
	capng_select_t set;
	int code;

	capng_get_caps_process();
	set = droppable();
	capng_clear(set);
	if (id->change)
		code = capng_change_id((int)id->uid, (int)id->gid,
		    CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING | CAPNG_CLEAR_AMBIENT);
	else
		code = capng_apply(set);
	if (code)
		return err_set(err, -EPERM, "cannot drop privileges (step %d)", code);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(err, -errno, "cannot set no_new_privs: %s", strerror(errno));
	capng_get_caps_process();
	if (capng_have_capabilities(CAPNG_SELECT_CAPS) != CAPNG_NONE || geteuid() != id->uid)
		return err_set(err, -EPERM, "privileges were not dropped");
	return 0;
}
