// Secrets Manager's replies. The value is cut out by code of ours: it must be what nlohmann reads
// there.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "lib/aws/secret_json.h"
#include "lib/aws/secrets_manager_codec.h"

namespace {

// A name written with escapes ("Secret\u0053tring") is read by the parser only. AWS does not write
// those.
bool may_have_escaped_names(const std::string& body) {
  for (const char* letters : {"\\u004", "\\u005", "\\u006", "\\u007"}) {
    if (body.find(letters) != std::string::npos) return true;
  }
  return false;
}

void compare_cut_with_parser(const std::string& body) {
  const auto json = nlohmann::json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || may_have_escaped_names(body)) return;
  std::string rest = body;
  const auto cut = keyturn::aws::cut_string_member(rest, "SecretString");
  if (!cut) std::abort();  // a valid object is always walked to its end
  const auto found = json.find("SecretString");
  const bool is_text = found != json.end() && found->is_string();
  if (cut->has_value() != is_text) std::abort();
  if (is_text && (*cut)->reveal() != found->get<std::string>()) std::abort();
  if (rest.size() != body.size() || !nlohmann::json::accept(rest)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string body(reinterpret_cast<const char*>(data), size);
  compare_cut_with_parser(body);
  (void)keyturn::aws::decode_describe(body);
  (void)keyturn::aws::decode_list(body);
  (void)keyturn::aws::decode_list_versions(body);
  (void)keyturn::aws::decode_put_value(body);
  (void)keyturn::aws::decode_get_value(body);

  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::string written;
  keyturn::aws::append_json_string(written, text);
  const auto read = nlohmann::json::parse(written, nullptr, /*allow_exceptions=*/false);
  if (read.is_string() && read.get<std::string>() != text) std::abort();
  return 0;
}
