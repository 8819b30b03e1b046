#include "controller/rotation/person_requests.h"

#include <algorithm>

#include "controller/rotation/rotation_record.h"
#include "lib/base/time.h"

namespace keyturn::rotation {
namespace {

bool in_future(const std::string& at, WallTime now) {
  const auto time = parse_rfc3339(at);
  return time && *time > now;
}

bool is_drill(const Policy& policy) {
  const auto rotate = parse_rfc3339(policy.rotate_requested_at);
  const auto revoke = parse_rfc3339(policy.revoke_requested_at);
  return rotate && revoke && *rotate == *revoke;
}

}  // namespace

PersonRequests person_requests(const Policy& policy, const PolicyStatus& status,
                               const engine::Labels& labels, const CreatedTimes& created,
                               WallTime now) {
  PersonRequests requests;
  const auto open = [&](const std::string& at, const std::string& handled) {
    if (at.empty() || at == handled) return false;
    if (!in_future(at, now)) return true;
    const WallTime time = *parse_rfc3339(at);
    requests.later = requests.later ? std::min(*requests.later, time) : time;
    return false;
  };
  const auto newer = [&](const std::string& at) {
    return newer_than_current(at, status, labels, created);
  };
  requests.rollback = open(policy.rollback_requested_at, status.last_handled_rollback_request) &&
                      newer(policy.rollback_requested_at);
  if (open(policy.revoke_requested_at, status.last_handled_revoke_request)) {
    requests.revoke = newer(policy.revoke_requested_at);
    requests.drill = !requests.revoke && is_drill(policy) &&
                     status.last_handled_rotate_request == policy.rotate_requested_at &&
                     trigger_of(status, labels.current) == "request";
  }
  return requests;
}

void note_requests(PolicyStatus& status, const Policy& policy, const PersonRequests& requests,
                   bool rotation_asked, WallTime now) {
  if (!requests.rollback && !in_future(policy.rollback_requested_at, now))
    status.last_handled_rollback_request = policy.rollback_requested_at;
  const bool drill_to_come = is_drill(policy) && rotation_asked;
  if (!drill_to_come && !in_future(policy.revoke_requested_at, now))
    status.last_handled_revoke_request = policy.revoke_requested_at;
}

}  // namespace keyturn::rotation
