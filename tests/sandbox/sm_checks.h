// Input checks that several operations of Secrets Manager share. Thread rule: pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/sandbox/json.h"
#include "tests/sandbox/secrets_manager.h"

namespace keyturn::sandbox {

struct GivenValue {
  std::optional<std::string> text, binary;
  bool given() const { return text || binary; }
  bool equals(const SecretVersion& version) const {
    return text == version.text && binary == version.binary;
  }
};

// Refuses a member that the operation does not have: a typo would otherwise go unnoticed.
void check_members(const Json& input, const std::vector<std::string>& known);
// SecretString xor SecretBinary, 1 to 65,536 bytes.
GivenValue read_value(const Json& input, bool required);
// ClientRequestToken, 32 to 64 characters. A raw request must bring one.
std::string read_token(const Json& input);
std::vector<std::string> read_labels(const Json& input);
double epoch(WallTime time);
void check_name(const std::string& name);
// NextToken: opaque to callers. Throws InvalidNextTokenException.
Json read_page_token(const Json& input);
std::string make_page_token(const Json& state);
std::size_t read_page_size(const Json& input, std::size_t most, std::size_t fallback);

}  // namespace keyturn::sandbox
