#include "lib/engine/strategies/elasticache_secret.h"

#include <algorithm>
#include <utility>

#include "lib/base/text.h"
#include "lib/engine/strategies/fields.h"
#include "lib/http/url.h"

namespace keyturn::engine::elasticache {
namespace {

constexpr std::size_t kMostBytes = 300;
constexpr const char* kName = "elasticacheUser";

// As ElastiCache has it: letters, digits, hyphens, a letter first.
bool is_id(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  return !text.empty() && text.size() <= 64 && letter(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '-'; });
}

Status check_group(const std::string& id) {
  if (is_id(id)) return {};
  return invalid("BadField", "must be the id of a replication group, such as shop-cache");
}

Status check_endpoint(const std::string& endpoint) {
  const auto url = http::parse_url("https://" + endpoint);
  if (url && url->authority() == lower_ascii(endpoint)) return {};
  return invalid("BadField", "must be a host and a port, such as cache.internal:6379");
}

}  // namespace

Location Location::read(Options& options) {
  Location out;
  out.replication_group = options.text("replicationGroupId", kMostBytes).value_or("");
  out.endpoint = lower_ascii(options.text("endpoint", kMostBytes).value_or(""));
  if (!out.replication_group.empty()) {
    if (auto good = check_group(out.replication_group); !good)
      options.fail("replicationGroupId", good.error().message);
  }
  if (!out.endpoint.empty()) {
    if (auto good = check_endpoint(out.endpoint); !good)
      options.fail("endpoint", good.error().message);
    if (!out.replication_group.empty())
      options.fail("endpoint", "does not go with replicationGroupId; keep one of the two");
  }
  return out;
}

Result<UserArn> UserArn::parse(const std::string& text) {
  const auto parts = split(text, ':');
  const bool good = parts.size() == 7 && parts[0] == "arn" && parts[2] == "elasticache" &&
                    !parts[3].empty() && !parts[4].empty() && parts[5] == "user" && is_id(parts[6]);
  if (good) return UserArn{text, parts[6]};
  return invalid("BadField",
                 "field user_arn must be the ARN of an ElastiCache user, such as "
                 "arn:aws:elasticache:eu-west-1:123456789012:user:orders");
}

std::string UserArn::replication_group(const std::string& group) const {
  const std::string own = ":user:" + id;
  return text.substr(0, text.size() - own.size()) + ":replicationgroup:" + group;
}

Result<UserSecret> UserSecret::read(const SecretString& value, const Location& option) {
  if (value.empty()) {
    return invalid("NoValueYet",
                   "the secret has no value yet; put a JSON object with user_arn and username");
  }
  UserSecret out{
      .document = Document::parse(value), .arn = {}, .name = {}, .password = {}, .location = {}};
  if (!out.document.is_object()) {
    return invalid("NotAnObject", "the secret's value is not a JSON object (" +
                                      out.document.why_bare() + "); " + kName +
                                      " needs one with user_arn and username");
  }
  Fields fields(out.document);
  const std::string user_arn = fields.required("user_arn", "the ARN of the ElastiCache user");
  out.name = fields.required("username", "the name that AUTH takes");
  out.password = fields.secret("password");
  Location own;
  own.replication_group = fields.text("replicationGroupId");
  own.endpoint = lower_ascii(fields.text("endpoint"));
  if (!user_arn.empty()) {
    auto parsed = UserArn::parse(user_arn);
    if (parsed) {
      out.arn = std::move(parsed).value();
    } else {
      fields.complain(std::move(parsed).error());
    }
  }
  const auto check = [&](const char* field, const std::string& text, auto good) {
    if (text.empty()) return;
    if (auto ok = good(text); !ok)
      fields.complain(ok.error().with_context("field " + std::string(field)));
  };
  check("replicationGroupId", own.replication_group, check_group);
  check("endpoint", own.endpoint, check_endpoint);
  const bool both = !own.replication_group.empty() && !own.endpoint.empty();
  const bool differs = own != Location{} && option != Location{} && own != option;
  if (both || differs) {
    fields.complain(invalid(
        "Contradiction",
        both ? std::string("fields replicationGroupId and endpoint both say where the cache is; "
                           "keep one")
             : std::string("the secret and spec.strategy.") + kName +
                   " name different caches (replicationGroupId, endpoint); keep one"));
  }
  out.location = own == Location{} ? option : own;
  if (fields.problem()) return *fields.problem();
  return out;
}

}  // namespace keyturn::engine::elasticache
