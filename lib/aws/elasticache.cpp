// ElastiCache over the wire: AWS Query, one operation per method.
#include "lib/aws/elasticache.h"

#include <utility>

#include "lib/aws/caller.h"
#include "lib/aws/elasticache_codec.h"
#include "lib/base/text.h"

namespace keyturn::aws {
namespace {

const std::string kVersion = "2015-02-02";

class WireElasticache final : public Elasticache {
 public:
  explicit WireElasticache(std::shared_ptr<Session> session) : session_(std::move(session)) {}

  Result<CacheUser> user(const std::string& id) override {
    return ask(call("DescribeUsers", id, {{"UserId", id}}), &decode_described_user);
  }

  Result<CacheUser> replace_passwords(const std::string& id,
                                      const std::vector<const SecretString*>& passwords,
                                      MonoTime not_after) override {
    QueryParameters parameters = {{"UserId", id}};
    int number = 0;
    for (const SecretString* password : passwords) {
      parameters.emplace_back("Passwords.member." + std::to_string(++number),
                              std::string(password->reveal()));
    }
    Call change = call("ModifyUser", id, std::move(parameters));
    change.withheld = passwords;
    change.mutates = true;
    change.not_after = not_after;
    return ask(std::move(change), &decode_modified_user);
  }

  Result<CacheUserGroup> user_group(const std::string& id) override {
    return ask(call("DescribeUserGroups", id, {{"UserGroupId", id}}), &decode_user_group);
  }

  Result<ReplicationGroup> replication_group(const std::string& id) override {
    return ask(call("DescribeReplicationGroups", id, {{"ReplicationGroupId", id}}),
               &decode_replication_group);
  }

 private:
  static Call call(const char* operation, const std::string& id, QueryParameters parameters) {
    return query_call("elasticache", operation, kVersion, id, std::move(parameters));
  }

  template <class T>
  Result<T> ask(Call call, Result<T> (*decode)(const std::string&)) {
    const std::string what = call.operation + " " + printable(call.subject);
    const auto reply = session_->call(std::move(call));
    if (!reply) return reply.error();
    auto decoded = decode(reply->body);
    if (decoded) return decoded;
    return decoded.error().with_context(what);
  }

  const std::shared_ptr<Session> session_;
};

}  // namespace

std::unique_ptr<Elasticache> make_elasticache(std::shared_ptr<Session> session) {
  return std::make_unique<WireElasticache>(std::move(session));
}

}  // namespace keyturn::aws
