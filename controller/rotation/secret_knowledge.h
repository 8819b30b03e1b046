// What this process knows of secrets in Secrets Manager without asking again: the last metadata
// seen of each, by whom. Filled by the change detector's sweeps and by every look of ours; read by
// passes that only need to know that nothing is to be done. Never the base of a write: whoever
// writes looks afresh.
//
// Names resolve here to ARNs. A newer sight replaces an older one; sweeps lag (ListSecrets up to
// five minutes), so a sweep never replaces what a look of ours saw later than that. Thread rule:
// any thread.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lib/aws/secrets_manager.h"
#include "lib/base/boxed.h"
#include "lib/base/clock.h"

namespace keyturn::rotation {

// Who looks: "operator", "sa:shop/orders", "keys:shop/aws-keys", plus "@region". Two policies with
// the same scope see the same.
using Scope = std::string;

struct Sight {
  aws::SecretMetadata secret;
  MonoTime seen_at{};
  MonoTime listed_at{};  // a sweep last showed it, though perhaps an older state of it
};

class SecretKnowledge {
 public:
  static constexpr Duration kListLag{
      300'000};  // ListSecrets API: eventually consistent within five minutes

  // Returns true when this sight tells of a change (labels, deletion, another ARN under the name)
  // or is the first.
  bool saw(const Scope& scope, const aws::SecretMetadata& secret, MonoTime at, bool from_list);
  // A list's entry has other labels than a look of ours saw so lately that the list may still show
  // the past: only another look can tell.
  bool in_doubt(const Scope& scope, const aws::SecretMetadata& listed, MonoTime at) const;
  // By name, full ARN, or partial ARN (without the six random characters).
  std::shared_ptr<const Sight> find(const Scope& scope, std::string_view secret_id) const;
  // Its labels moved, as `by` saw: what other scopes know of it, or of its replicas, is out of date
  // and forgotten.
  void moved(const Scope& by, const std::string& arn);
  // NotFound was answered, or a complete sweep did not have it.
  void gone(const Scope& scope, std::string_view secret_id);
  // After a complete sweep: the ARNs of this scope that neither it nor a look since has shown; they
  // are forgotten.
  std::vector<std::string> keep_only_seen_since(const Scope& scope, MonoTime since);
  std::size_t size() const;

 private:
  // A Sight, small: tens of thousands of them live here.
  struct Packed {
    std::string name;
    std::string stages;  // the labels by version id, as one text
    std::optional<WallTime> created, last_changed;
    MonoTime seen_at{}, listed_at{};
    Boxed<aws::SecretMetadata> whole;  // where the above do not tell it all
  };
  using ByArn = std::unordered_map<std::string, Packed>;
  struct PerScope {
    ByArn by_arn;
    std::unordered_map<std::string_view, ByArn::const_pointer> by_name;  // views of Packed::name
    void put(const Sight& sight);
    ByArn::iterator erase(ByArn::const_iterator at);
  };
  static Packed pack(const Sight& sight);
  static Sight unpack(const std::string& arn, const Packed& packed);

  mutable std::mutex mutex_;
  std::unordered_map<Scope, PerScope> scopes_;
};

// The ARN without its region: replicas of a secret are the same secret (design 2.1).
std::string arn_without_region(std::string_view arn);
// "arn:aws:secretsmanager:eu-west-1:1:secret:shop/db-AbCdEf" → "shop/db". "" when it is no such
// ARN.
std::string name_of_arn(std::string_view arn);

}  // namespace keyturn::rotation
