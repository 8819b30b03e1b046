// Secrets Manager's JSON. Decoders are strict about what Keyturn needs and blind to everything
// else: unknown members are ignored, null means absent, a missing or mistyped one is Transient
// "BadReply" and named. None quotes the reply.
//
// Thread rule: pure functions; any bytes are accepted.
#pragma once

#include <string>
#include <vector>

#include "lib/aws/secrets_admin.h"
#include "lib/aws/secrets_manager.h"
#include "lib/base/result.h"

namespace keyturn::aws {

Result<SecretMetadata> decode_describe(const std::string& body);
Result<SecretValue> decode_get_value(
    std::string& body);  // the value is cut out of the body, the rest wiped
Result<ListSecretsPage> decode_list(const std::string& body);

struct VersionsPage {
  std::vector<VersionInfo> versions;
  std::string next_token;
};
Result<VersionsPage> decode_list_versions(const std::string& body);
Result<std::string> decode_put_value(const std::string& body);  // the version id

// Invalid: what AWS would refuse anyway, with a clearer message (size, labels, token, UTF-8).
Result<std::string> encode_put_value(const PutSecretValueRequest& request);

Result<std::string> encode_create_secret(const CreateSecretRequest& request);  // Invalid likewise
Result<std::string> decode_created(const std::string& body);                   // the ARN
Result<WallTime> decode_deleted(const std::string& body);                      // DeletionDate

}  // namespace keyturn::aws
