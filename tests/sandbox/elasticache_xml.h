// How ElastiCache's Query API reads and answers; shared by its files. Thread rule: pure functions.
#pragma once

#include <set>
#include <string>

#include "lib/base/text.h"
#include "tests/sandbox/aws_accounts.h"
#include "tests/sandbox/aws_error.h"
#include "tests/sandbox/sts.h"

namespace keyturn::sandbox {

inline std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else
      out += c;
  }
  return out;
}

inline std::string element(const std::string& name, const std::string& text) {
  return "<" + name + ">" + escaped(text) + "</" + name + ">";
}

inline std::string reply(const std::string& action, const std::string& result) {
  return "<" + action + "Response xmlns=\"http://elasticache.amazonaws.com/doc/2015-02-02/\"><" +
         action + "Result>" + result + "</" + action +
         "Result><ResponseMetadata><RequestId>sandbox</RequestId></ResponseMetadata></" + action +
         "Response>";
}

inline void permit(const Principal& caller, const std::string& operation, const std::string& arn) {
  const std::string action = "elasticache:" + operation;
  if (permits(caller, action, {arn})) return;
  throw AwsError(
      "AccessDenied",
      "User: " + caller.arn + " is not authorized to perform: " + action + " on resource: " + arn,
      403);
}

// What no client of ours may send.
inline void only(const Form& form, const std::set<std::string>& names) {
  for (const auto& [key, value] : form) {
    const bool known = key == "Action" || key == "Version" || names.contains(key) ||
                       (key.starts_with("Passwords.member.") && names.contains("Passwords"));
    if (!known) throw AwsError("InvalidParameterValue", "unknown parameter " + printable(key));
  }
}

inline std::string needed(const Form& form, const char* name) {
  std::string value = field_of_form(form, name);
  if (value.empty())
    throw AwsError("InvalidParameterValue", std::string(name) + " must not be empty");
  return value;
}

}  // namespace keyturn::sandbox
