// One operation of an AWS service on the wire: endpoint, signature, retries, clock correction. The
// clients of this folder (Secrets Manager, STS…) are thin layers of encoding and decoding on top.
//
// Thread rule: a Session may be used from any thread; call() blocks, at most
// SessionOptions::call_timeout and the time that the credentials provider takes.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/aws/errors.h"
#include "lib/aws/retry.h"
#include "lib/aws/session.h"
#include "lib/aws/signer.h"

namespace keyturn::aws {

struct Call {
  std::string service;    // endpoint prefix and signing name: "secretsmanager"
  std::string operation;  // "GetSecretValue"
  std::string subject;    // what the messages name: the secret, the role
  std::string content_type;
  std::string target;     // X-Amz-Target; empty: a Query service, whose errors are XML
  std::string body;       // wiped by call()
  bool is_signed = true;  // false: AssumeRoleWithWebIdentity
  bool mutates = false;   // a failure after a try that may have been carried out stays Transient
  std::optional<MonoTime> not_after;  // checked before each try: Unavailable "ViewTooOld"
  // Secrets inside the body: an error message that repeats one is withheld.
  std::vector<const SecretString*> withheld{};
  // Which refusals mean that somebody else was first: they become Conflict.
  bool (*lost_race)(const ServiceError& said) = nullptr;
};

// POST / with X-Amz-Target (AWS JSON 1.1); target prefix as the service's model says, e.g.
// "secretsmanager".
Call json_call(std::string service, const std::string& target_prefix, std::string operation,
               std::string subject, std::string body);
// POST / with a form (AWS Query); version is the API's, e.g. "2011-06-15".
Call query_call(std::string service, std::string operation, const std::string& version,
                std::string subject, QueryParameters parameters);

struct Reply {
  std::string body;              // may hold secrets: the client wipes it
  std::optional<WallTime> date;  // AWS's clock, from the Date header
};

class Session {
 public:
  explicit Session(SessionOptions options);  // options must be complete: make_session() checks
  Result<Reply> call(Call call);
  const std::string& region() const { return region_; }
  Clock& clock() const { return *options_.clock; }
  const RetryBudget& retry_budget() const { return budget_; }

 private:
  struct Wire;     // a call made ready for the wire
  struct Failure;  // why a try failed and what may help

  Status prepare(Call& call, Wire& wire) const;
  Result<Reply> attempts(const Call& call, Wire& wire);
  // Nothing when the try succeeded: then `reply` is set.
  std::optional<Failure> try_once(const Call& call, Wire& wire, MonoTime deadline, Reply& reply);
  std::optional<Error> refusal(const Call& call, MonoTime deadline) const;
  Failure judge_reply(const Call& call, const http::Response& response) const;
  Failure judge_transport(const Call& call, Error error) const;
  bool correct_clock(std::optional<WallTime> date);
  Result<bool> refresh_credentials(const Credentials& refused);
  bool pay_and_wait(const Failure& failure, int tries, MonoTime deadline, int& paid);
  void wait(Duration how_long);
  void observe(const Call& call, std::string_view code, MonoTime since) const;
  std::string context(const Call& call) const;

  SessionOptions options_;
  std::string region_;
  std::shared_ptr<const http::TlsConfig> tls_;
  RetryBudget budget_;
  std::atomic<Duration::rep> clock_offset_{0};  // AWS's time minus ours; kept for later calls
};

}  // namespace keyturn::aws
