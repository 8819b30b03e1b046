// STS: AssumeRoleWithWebIdentity and AssumeRole, with their XML. Thread rule: any thread.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "lib/base/clock.h"
#include "tests/sandbox/auth.h"
#include "tests/sandbox/aws_accounts.h"
#include "tests/sandbox/http_server.h"

namespace keyturn::sandbox {

using Form = std::vector<std::pair<std::string, std::string>>;
std::string field_of_form(const Form& form, const std::string& name);

// Throws AwsError (codes of STS). `caller` is null for unsigned calls.
std::string assume_role(const Form& form, const Principal* caller, AwsAccounts& accounts,
                        const Auth& tokens);
std::string sts_error_xml(const std::string& code, const std::string& message);

}  // namespace keyturn::sandbox
