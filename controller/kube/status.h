// metav1.Status, the body of every error the API server answers, as our Error.
//
// Facts: apimachinery pkg/api/errors; a watch reports errors as an ERROR event carrying a Status
// over HTTP 200. Error::code is Status.reason, except "Expired" for every 410 and
// "ResourceVersionTooLarge" when a cause says so (reason Timeout on the wire), and "FieldImmutable"
// when validation refuses the change of a field that cannot be changed: callers tell it by the
// code, since the message of a sensitive request may be withheld. Thread rule: pure functions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/http/transport.h"

namespace keyturn::kube {

// A reply outside 2xx. Any body will do: what is not a Status gives a message of its own.
Error error_from_reply(const http::Response& reply, WallTime now);

// The object of an ERROR event.
Error error_from_status(const nlohmann::json& status);

// The resourceVersion or continue token asked for is no longer kept: list again.
bool is_expired(const Error& error);
// The server has not seen this resourceVersion yet (an API server behind its peers, an etcd
// restored from a backup).
bool is_resource_version_too_large(const Error& error);

}  // namespace keyturn::kube
