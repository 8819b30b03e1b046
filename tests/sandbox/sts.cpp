#include "tests/sandbox/sts.h"

#include <algorithm>
#include <charconv>

#include "lib/base/text.h"
#include "lib/base/time.h"
#include "tests/sandbox/aws_error.h"

namespace keyturn::sandbox {
namespace {

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string credentials_xml(const std::string& action, const Principal& session) {
  return "<" + action + "Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><" + action +
         "Result>" + "<AssumedRoleUser><Arn>" + escaped(session.arn) +
         "</Arn></AssumedRoleUser><Credentials><AccessKeyId>" + session.access_key +
         "</AccessKeyId><SecretAccessKey>" + escaped(session.secret_key) +
         "</SecretAccessKey><SessionToken>" + escaped(session.session_token) +
         "</SessionToken><Expiration>" + format_rfc3339(*session.expires) +
         "</Expiration></Credentials></" + action +
         "Result><ResponseMetadata><RequestId>sandbox</RequestId></ResponseMetadata></" + action +
         "Response>";
}

std::int64_t duration_of(const Form& form) {
  const std::string text = field_of_form(form, "DurationSeconds");
  if (text.empty()) return 3600;
  std::int64_t seconds = 0;
  std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (seconds < 900 || seconds > 43200) {
    throw AwsError("ValidationError", "DurationSeconds must be between 900 and 43200");
  }
  return seconds;
}

void check_web_identity(const Role& role, const Form& form, const Auth& tokens) {
  const auto claims = tokens.verify(field_of_form(form, "WebIdentityToken"));
  if (!claims) {
    throw AwsError(
        "InvalidIdentityToken",
        "The web identity token could not be validated: unknown issuer, bad signature or expired");
  }
  if (std::find(claims->audiences.begin(), claims->audiences.end(), role.audience) ==
      claims->audiences.end()) {
    throw AwsError("InvalidIdentityToken", "Incorrect token audience");
  }
  const bool trusted =
      std::any_of(role.web_identity_subjects.begin(), role.web_identity_subjects.end(),
                  [&](const std::string& glob) { return glob_match(glob, claims->subject); });
  if (!trusted) {
    throw AwsError("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403);
  }
}

void check_caller(const Role& role, const Form& form, const Principal& caller) {
  const bool trusted =
      std::any_of(role.principals.begin(), role.principals.end(),
                  [&](const std::string& glob) { return glob_match(glob, caller.arn); });
  const bool external =
      role.external_id.empty() || role.external_id == field_of_form(form, "ExternalId");
  if (!trusted || !external || !permits(caller, "sts:AssumeRole", {role.arn})) {
    throw AwsError("AccessDenied",
                   "User: " + caller.arn +
                       " is not authorized to perform: sts:AssumeRole on resource: " + role.arn,
                   403);
  }
}

}  // namespace

std::string field_of_form(const Form& form, const std::string& name) {
  for (const auto& [key, value] : form) {
    if (key == name) return value;
  }
  return "";
}

std::string sts_error_xml(const std::string& code, const std::string& message) {
  return "<ErrorResponse "
         "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>" +
         escaped(code) + "</Code><Message>" + escaped(message) +
         "</Message></Error><RequestId>sandbox</RequestId></ErrorResponse>";
}

std::string assume_role(const Form& form, const Principal* caller, AwsAccounts& accounts,
                        const Auth& tokens) {
  if (field_of_form(form, "Version") != "2011-06-15")
    throw AwsError("NoSuchVersion", "Version must be 2011-06-15");
  const std::string action = field_of_form(form, "Action");
  const std::string session = field_of_form(form, "RoleSessionName");
  if (action != "AssumeRole" && action != "AssumeRoleWithWebIdentity") {
    throw AwsError("InvalidAction", "the sandbox does not serve " + printable(action));
  }
  const bool fits = session.size() >= 2 && session.size() <= 64 &&
                    std::all_of(session.begin(), session.end(), [](char c) {
                      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                             (c >= 'A' && c <= 'Z') ||
                             std::string_view("_+=,.@-").find(c) != std::string_view::npos;
                    });
  if (!fits) throw AwsError("ValidationError", "RoleSessionName must satisfy [\\w+=,.@-]{2,64}");
  const std::int64_t seconds = duration_of(form);
  const std::string arn = field_of_form(form, "RoleArn");
  const std::optional<Role> role = accounts.role(arn);
  const bool web = action == "AssumeRoleWithWebIdentity";
  if (!role) {
    throw AwsError("AccessDenied",
                   "Not authorized to perform sts:" + action + " on resource: " + arn, 403);
  }
  if (web) {
    check_web_identity(*role, form, tokens);
  } else if (!caller) {
    throw AwsError("MissingAuthenticationToken", "Request is missing Authentication Token", 403);
  } else {
    check_caller(*role, form, *caller);
  }
  return credentials_xml(action, accounts.start_session(*role, session, seconds));
}

}  // namespace keyturn::sandbox
