// What the secrets and the options of the InfluxDB strategies have in common: where the server is,
// and the name and password of a user.
//
// What the secret says and what the policy says must agree; where both speak and differ that is an
// error, never a guess. An empty string counts as absent. Errors are Invalid and name the field;
// none holds a part of a credential.
//
// Thread rule: plain values; a Fields is used by one thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "lib/base/secret_string.h"
#include "lib/engine/document.h"
#include "lib/engine/strategies/fields.h"
#include "lib/engine/strategies/options.h"

namespace keyturn::engine::influxdb {

// Where the server is: exactly one of the two.
struct Location {
  std::string db_identifier{};  // a Timestream instance or cluster
  std::string url{};
  friend bool operator==(const Location&, const Location&) = default;

  // The options dbIdentifier and url: at most one. Problems fail `options`.
  static Location read(Options& options);
  // The "host:port" that the URL names; none for a database, whose host GetDbInstance tells.
  Result<std::vector<std::string>> hosts() const;
};

// Who signs in.
struct Login {
  SecretString user;
  SecretString password;

  // The fields username and password. "MissingField"; "BadField": no strings, or a name with a
  // colon.
  static Result<Login> read(const Document& document);
};

// Beside Fields' own problems "WrongEngine" and "Contradiction".
class Fields : public engine::Fields {
 public:
  // `strategy`: whose secret it is, for messages.
  Fields(const Document& document, std::string_view strategy)
      : engine::Fields(document), strategy_(strategy) {}

  // The field engine, where there is one.
  void check_engine();
  // What the secret says together with what the options say.
  Location location(const Location& option);

 private:
  void complain_of(const char* name, const Status& status);
  void not_both(const char* name, const std::string& own, const std::string& option);

  const std::string strategy_;
};

}  // namespace keyturn::engine::influxdb
