// ElastiCache's XML. Unknown elements are ignored, an empty one means absent; a missing or odd one
// that is needed is Transient "BadReply" and named. None quotes the reply. An answer without the
// one that was asked for is NotFound, as the service's own refusal is.
//
// Thread rule: pure functions; any bytes are accepted.
#pragma once

#include <string>

#include "lib/aws/elasticache.h"
#include "lib/base/result.h"

namespace keyturn::aws {

Result<CacheUser> decode_described_user(const std::string& body);
Result<CacheUser> decode_modified_user(const std::string& body);
Result<CacheUserGroup> decode_user_group(const std::string& body);
Result<ReplicationGroup> decode_replication_group(const std::string& body);

}  // namespace keyturn::aws
