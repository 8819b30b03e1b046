// A refusal of an AWS service, thrown where it is found out and written by the front of the
// service.
#pragma once

#include <exception>
#include <string>

namespace keyturn::sandbox {

class AwsError final : public std::exception {
 public:
  AwsError(std::string error_code, std::string text, int http_status = 400)
      : status(http_status), code(std::move(error_code)), message(std::move(text)) {}
  const char* what() const noexcept override { return message.c_str(); }

  int status;
  std::string code;
  std::string message;
};

}  // namespace keyturn::sandbox
