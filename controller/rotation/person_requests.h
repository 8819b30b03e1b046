// What a person asked for by annotation beside a rotation: bring the old credential back
// (keyturn.dev/rollback-requested-at), end a waiting retirement now (keyturn.dev/
// revoke-requested-at). Each counts once, and only if it is newer than the current version, so that
// an old one from Git or a backup does nothing; one in the future is waited for.
//
// The leak drill (`rotate --revoke-now`) sets rotate and revoke to the same time: then the revoke
// request also holds for the retirement that follows the rotation asked for, whose version is newer
// than the request. Thread rule: pure functions.
#pragma once

#include <optional>

#include "controller/rotation/policy.h"
#include "controller/rotation/rotation_due.h"

namespace keyturn::rotation {

struct PersonRequests {
  bool rollback = false;
  bool revoke = false;  // without waiting for roll-out, gate and grace
  bool drill = false;   // this version was made by a drill: roll out, then no pods and no grace
  std::optional<WallTime> later;  // the earliest request that lies in the future
};

PersonRequests person_requests(const Policy& policy, const PolicyStatus& status,
                               const engine::Labels& labels, const CreatedTimes& created,
                               WallTime now);

// To be called when nothing is under way or awaits revocation: notes as handled what does not count
// any more (and what is no time). `rotation_asked`: a rotation that was asked for is still to come.
void note_requests(PolicyStatus& status, const Policy& policy, const PersonRequests& requests,
                   bool rotation_asked, WallTime now);

}  // namespace keyturn::rotation
