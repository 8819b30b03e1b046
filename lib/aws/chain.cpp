// The default chain and the providers of session.h.
#include <array>
#include <utility>

#include "lib/aws/cached_provider.h"
#include "lib/aws/profile.h"
#include "lib/aws/session.h"
#include "lib/aws/sts.h"
#include "lib/base/text.h"
#include "lib/base/time.h"

namespace keyturn::aws {
namespace {

std::shared_ptr<Session> sts_session(const ChainOptions& options,
                                     std::shared_ptr<CredentialsProvider> keys) {
  SessionOptions out;
  out.transport = options.transport;
  out.credentials = std::move(keys);
  out.settings = options.settings;
  out.clock = options.clock;
  out.rng = options.rng;
  out.observer = options.observer;
  out.stop = options.stop;
  out.wait = options.wait;
  return std::make_shared<Session>(std::move(out));
}

// What one place had to say: keys, an error that ends the search, or why it does not apply.
struct Finding {
  std::optional<Result<Credentials>> result;
  std::string why_not;

  static Finding none(std::string why) { return {std::nullopt, std::move(why)}; }
  static Finding of(Result<Credentials> r) { return {std::move(r), ""}; }
};

class Chain {
 public:
  explicit Chain(ChainOptions options)
      : options_(std::move(options)), sts_(sts_session(options_, nullptr)) {}

  Result<Credentials> find() const {
    std::string tried;
    for (const auto& [name, look] : kPlaces) {
      Finding finding = (this->*look)();
      if (finding.result) return std::move(*finding.result);
      tried += (tried.empty() ? "" : "; ") + std::string(name) + ": " + finding.why_not;
    }
    return make_error(ErrorClass::Denied, "NoCredentials", "no AWS keys found. Tried " + tried);
  }

 private:
  std::string env(const char* name) const { return options_.env(name).value_or(""); }

  Finding environment() const {
    Credentials keys;
    keys.access_key_id = env("AWS_ACCESS_KEY_ID");
    keys.secret_access_key = SecretString::take(env("AWS_SECRET_ACCESS_KEY"));
    if (keys.access_key_id.empty() && keys.secret_access_key.empty()) {
      return Finding::none("AWS_ACCESS_KEY_ID is not set");
    }
    if (keys.access_key_id.empty() || keys.secret_access_key.empty()) {
      return Finding::of(invalid(
          "PartialCredentials",
          "only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set: set both or none"));
    }
    std::string token = env("AWS_SESSION_TOKEN");
    if (token.empty()) token = env("AWS_SECURITY_TOKEN");  // its old name
    keys.session_token = SecretString::take(std::move(token));
    if (const std::string expires = env("AWS_CREDENTIAL_EXPIRATION"); !expires.empty()) {
      const Result<WallTime> at = parse_rfc3339(expires);
      if (!at) return Finding::of(at.error().with_context("AWS_CREDENTIAL_EXPIRATION"));
      keys.expiration = *at;
    }
    return Finding::of(std::move(keys));
  }

  Finding web_identity() const {
    const std::string file = env("AWS_WEB_IDENTITY_TOKEN_FILE");
    const std::string role = env("AWS_ROLE_ARN");
    if (file.empty() && role.empty())
      return Finding::none("AWS_WEB_IDENTITY_TOKEN_FILE is not set");
    if (file.empty())
      return Finding::none("AWS_ROLE_ARN is set without AWS_WEB_IDENTITY_TOKEN_FILE");
    if (role.empty()) {
      return Finding::of(
          invalid("PartialCredentials",
                  "AWS_WEB_IDENTITY_TOKEN_FILE is set without AWS_ROLE_ARN: set both or none"));
    }
    auto token = read_small_file(file, 64u << 10);  // anew each time: the kubelet replaces it
    if (!token) {
      return Finding::of(make_error(ErrorClass::Denied, "WebIdentityToken",
                                    "AWS_WEB_IDENTITY_TOKEN_FILE: " + token.error().message));
    }
    const SecretString trimmed(trim(*token));
    cleanse(*token);
    if (trimmed.empty()) {
      return Finding::of(make_error(ErrorClass::Denied, "WebIdentityToken",
                                    "AWS_WEB_IDENTITY_TOKEN_FILE: " + file + " is empty"));
    }
    const std::string session = env("AWS_ROLE_SESSION_NAME");
    return Finding::of(
        assume_role_with_web_identity(*sts_, role, session.empty() ? "keyturn" : session, trimmed));
  }

  Finding profile_keys() const {
    const Result<Profile> profile = load_profile(options_.env);
    if (!profile) return Finding::of(profile.error());
    const std::string name = "\"" + printable(profile->name(), 100) + "\"";
    if (!profile->exists())
      return Finding::none("no profile " + name + " (" + profile->places() + ")");
    if (!profile->get("role_arn").empty()) {
      return Finding::of(
          invalid("UnsupportedProfile",
                  "profile " + name +
                      " has role_arn, which Keyturn does not follow: use a profile "
                      "with keys and set identity.roleArn in the policy, or web identity"));
    }
    Credentials keys;
    keys.access_key_id = profile->get("aws_access_key_id");
    keys.secret_access_key = SecretString::take(profile->get("aws_secret_access_key"));
    keys.session_token = SecretString::take(profile->get("aws_session_token"));
    if (keys.access_key_id.empty() && keys.secret_access_key.empty()) {
      return Finding::none("profile " + name + " has no aws_access_key_id");
    }
    if (keys.access_key_id.empty() || keys.secret_access_key.empty()) {
      return Finding::of(invalid("PartialCredentials", "profile " + name +
                                                           " has only one of aws_access_key_id and "
                                                           "aws_secret_access_key"));
    }
    return Finding::of(std::move(keys));
  }

  Finding credential_process() const {
    const Result<Profile> profile = load_profile(options_.env);
    return Finding::none(profile && !profile->get("credential_process").empty()
                             ? "the profile sets it, but this version does not run it"
                             : "not set");
  }

  Finding container() const {
    for (const char* name :
         {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"}) {
      if (!env(name).empty()) {
        return Finding::none(std::string(name) +
                             " is set, but this version does not ask it (EKS Pod Identity, ECS)");
      }
    }
    return Finding::none("AWS_CONTAINER_CREDENTIALS_FULL_URI is not set");
  }

  Finding instance_metadata() const { return Finding::none("this version does not ask it"); }

  struct Place {
    std::string_view name;
    Finding (Chain::*look)() const;
  };
  static const std::array<Place, 6> kPlaces;

  const ChainOptions options_;
  const std::shared_ptr<Session> sts_;
};

constexpr std::array<Chain::Place, 6> Chain::kPlaces = {{
    {"environment", &Chain::environment},
    {"web identity", &Chain::web_identity},
    {"profile files", &Chain::profile_keys},
    {"credential_process", &Chain::credential_process},
    {"container endpoint", &Chain::container},
    {"instance metadata", &Chain::instance_metadata},
}};

}  // namespace

Result<std::shared_ptr<CredentialsProvider>> make_default_chain(ChainOptions options) {
  if (!options.transport || !options.env || options.clock == nullptr || options.rng == nullptr) {
    return invalid("ChainOptions", "the credentials chain needs transport, env, clock and rng");
  }
  Clock& clock = *options.clock;
  Rng& rng = *options.rng;
  auto chain = std::make_shared<const Chain>(std::move(options));
  return std::shared_ptr<CredentialsProvider>(std::make_shared<CachedProvider>(
      "default chain", [chain] { return chain->find(); }, clock, rng));
}

std::shared_ptr<CredentialsProvider> make_web_identity_provider(const ChainOptions& options,
                                                                WebIdentityOptions web) {
  auto sts = sts_session(options, nullptr);
  const std::string source = "web identity " + web.role_arn;
  auto fetch = [sts, web = std::move(web)]() -> Result<Credentials> {
    Result<SecretString> token = web.token();
    if (!token) return token.error().with_context("the token for " + web.role_arn);
    return assume_role_with_web_identity(*sts, web.role_arn, web.session_name, *token);
  };
  return std::make_shared<CachedProvider>(source, std::move(fetch), *options.clock, *options.rng);
}

std::shared_ptr<CredentialsProvider> make_assume_role_provider(
    const ChainOptions& options, std::shared_ptr<CredentialsProvider> source,
    AssumeRoleOptions role) {
  auto sts = sts_session(options, std::move(source));
  const std::string name = "role " + role.role_arn;
  auto fetch = [sts, role = std::move(role)] { return assume_role(*sts, role); };
  return std::make_shared<CachedProvider>(name, std::move(fetch), *options.clock, *options.rng);
}

}  // namespace keyturn::aws
