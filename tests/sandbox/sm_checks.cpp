#include "tests/sandbox/sm_checks.h"

#include <algorithm>

#include "lib/base/text.h"
#include "tests/sandbox/aws_error.h"

namespace keyturn::sandbox {
namespace {

constexpr std::size_t kMaxValue = 65'536;

AwsError bad_parameter(const std::string& why) {
  return AwsError("InvalidParameterException", why);
}

}  // namespace

void check_members(const Json& input, const std::vector<std::string>& known) {
  for (const auto& [key, value] : input.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      throw AwsError("ValidationException",
                     "the sandbox knows no parameter " + key + " of this operation");
    }
  }
}

GivenValue read_value(const Json& input, bool required) {
  GivenValue out;
  const Json& text = at(input, "SecretString");
  const Json& binary = at(input, "SecretBinary");
  if (text.is_string()) out.text = text.get<std::string>();
  if (binary.is_string()) {
    const auto bytes = base64_decode(binary.get_ref<const std::string&>());
    if (!bytes) throw AwsError("SerializationException", "SecretBinary is not base64");
    if (bytes->empty() || bytes->size() > kMaxValue)
      throw bad_parameter("SecretBinary must have between 1 and 65536 bytes.");
    out.binary = binary.get<std::string>();
  }
  if (out.text && out.binary) {
    throw AwsError("InvalidRequestException",
                   "You can't specify both a binary secret value and a string secret value in the "
                   "same secret.");
  }
  if (required && !out.given()) {
    throw AwsError("InvalidRequestException",
                   "You must provide either SecretString or SecretBinary.");
  }
  if (out.text && (out.text->empty() || out.text->size() > kMaxValue)) {
    throw bad_parameter("SecretString must have between 1 and 65536 bytes.");
  }
  return out;
}

std::string read_token(const Json& input) {
  const std::string token = text_at(input, "ClientRequestToken");
  if (token.empty()) {
    throw bad_parameter(
        "You must provide a ClientRequestToken value. We recommend a UUID-type value.");
  }
  if (token.size() < 32 || token.size() > 64) {
    throw bad_parameter("ClientRequestToken must be 32-64 characters long.");
  }
  return token;
}

std::vector<std::string> read_labels(const Json& input) {
  std::vector<std::string> out;
  const Json& labels = at(input, "VersionStages");
  if (!labels.is_array()) return out;
  if (labels.empty() || labels.size() > 20)
    throw bad_parameter("VersionStages must have between 1 and 20 members.");
  for (const Json& label : labels) {
    const std::string text = label.is_string() ? label.get<std::string>() : "";
    if (text.empty() || text.size() > 256)
      throw bad_parameter("A staging label must have between 1 and 256 characters.");
    out.push_back(text);
  }
  return out;
}

double epoch(WallTime time) {
  return static_cast<double>(time.time_since_epoch().count()) / 1000.0;
}

void check_name(const std::string& name) {
  static constexpr std::string_view kMarks = "/_+=.@-";
  const bool fits =
      !name.empty() && name.size() <= 512 && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               kMarks.find(c) != std::string_view::npos;
      });
  if (!fits) {
    throw AwsError("ValidationException",
                   "Invalid name. Must be a valid name containing alphanumeric characters, or any "
                   "of the following: -/_+=.@!");
  }
}

Json read_page_token(const Json& input) {
  const std::string token = text_at(input, "NextToken");
  if (token.empty()) return Json::object();
  const auto raw = base64_decode(token);
  Json state = raw ? Json::parse(*raw, nullptr, false) : Json();
  if (!state.is_object())
    throw AwsError("InvalidNextTokenException", "The NextToken value is invalid.");
  return state;
}

std::string make_page_token(const Json& state) { return base64(state.dump()); }

std::size_t read_page_size(const Json& input, std::size_t most, std::size_t fallback) {
  const Json& asked = at(input, "MaxResults");
  if (asked.is_null()) return fallback;
  if (!asked.is_number_integer() || asked.get<std::int64_t>() < 1 ||
      asked.get<std::int64_t>() > static_cast<std::int64_t>(most)) {
    throw bad_parameter("MaxResults must be between 1 and " + std::to_string(most) + ".");
  }
  return asked.get<std::size_t>();
}

}  // namespace keyturn::sandbox
