// What every AWS client of one identity shares: transport, keys, region, retry budget, clock
// offset.
//
//   auto session = Session::create({...});
//   auto secrets = make_secrets_manager(session);
//
// Thread rule: a Session and the clients on it may be used from any thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "lib/aws/credentials.h"
#include "lib/aws/observer.h"
#include "lib/aws/secrets_manager.h"
#include "lib/base/clock.h"
#include "lib/base/rng.h"
#include "lib/http/transport.h"

namespace keyturn::aws {

// The process environment as a function, so that tests need no setenv.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
Environment process_environment();

// What the environment and the profile files say besides keys.
struct Settings {
  std::string region;  // AWS_REGION, AWS_DEFAULT_REGION, profile region; may be empty
  std::map<std::string, std::string>
      endpoint_urls;     // by service id: "secretsmanager", "sts"…; "" = AWS_ENDPOINT_URL
  int max_attempts = 3;  // AWS_MAX_ATTEMPTS
  bool use_fips = false;
  bool use_dualstack = false;
  std::string ca_bundle_pem;  // AWS_CA_BUNDLE file's content; empty: system trust
};
Result<Settings> load_settings(const Environment& env);

// "eu-west-1", "us-gov-east-1", "eusc-de-east-1": it becomes part of a host name, so nothing else
// passes.
bool is_region(std::string_view text);

// The endpoint of a service (scheme, host, perhaps port and path, no slash at the end): override,
// else https://<svc>[-fips].<region>.<suffix of the partition>. Invalid when region is missing or
// odd, or when FIPS or dual-stack is wanted together with an override or where there is none. Known
// partitions: aws, aws-cn, aws-us-gov, iso*, eusc. An override changes neither the region nor the
// service that requests are signed for.
Result<std::string> endpoint_for(const Settings& settings, const std::string& service,
                                 const std::string& region);

struct SessionOptions {
  std::shared_ptr<http::Transport> transport;
  std::shared_ptr<CredentialsProvider> credentials;
  Settings settings;
  std::string region;  // overrides settings.region
  Clock* clock = nullptr;
  Rng* rng = nullptr;                   // jitter only
  RequestObserver* observer = nullptr;  // may be null
  Duration request_timeout{15000};      // one try
  Duration call_timeout{30000};         // all tries of one call, waits included
  std::stop_token stop;                 // a stop ends calls and waits soon: Unavailable "Cancelled"
  // Waits between tries; injected so that tests do not sleep. Null: a real wait.
  std::function<void(Duration)> wait;
};

class Session;
Result<std::shared_ptr<Session>> make_session(SessionOptions options);

std::unique_ptr<SecretsManager> make_secrets_manager(std::shared_ptr<Session> session);

// --- identities -----------------------------------------------------------------------------

// The default chain: env keys → web identity → profile files (static keys) → (credential_process,
// container, IMDS: their place is in the chain, an error names what was tried). Built once, cheap
// to hold.
struct ChainOptions {
  std::shared_ptr<http::Transport> transport;
  Settings settings;
  Environment env;
  Clock* clock = nullptr;
  Rng* rng = nullptr;
  RequestObserver* observer = nullptr;
  std::stop_token stop;
  std::function<void(Duration)> wait;  // as in SessionOptions
};
Result<std::shared_ptr<CredentialsProvider>> make_default_chain(ChainOptions options);

// AssumeRoleWithWebIdentity with a token from `token` (asked anew at each refresh; Kubernetes
// TokenRequest or a file).
struct WebIdentityOptions {
  std::string role_arn;
  std::string session_name;
  std::function<Result<SecretString>()> token;
};
std::shared_ptr<CredentialsProvider> make_web_identity_provider(const ChainOptions& options,
                                                                WebIdentityOptions web);

// AssumeRole on top of another provider; tags the session (namespace, policy).
struct AssumeRoleOptions {
  std::string role_arn;
  std::string external_id;  // optional
  std::string session_name;
  std::map<std::string, std::string> tags;
};
std::shared_ptr<CredentialsProvider> make_assume_role_provider(
    const ChainOptions& options, std::shared_ptr<CredentialsProvider> source,
    AssumeRoleOptions role);

}  // namespace keyturn::aws
