#include "controller/rotation/config_file.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "lib/base/log.h"
#include "tests/testing/fake_clock.h"

namespace keyturn::rotation {
namespace {

constexpr const char* kFirst = "access: [{namespaces: [shop], secrets: [\"shop/*\"]}]\n";

class ConfigFileTest : public ::testing::Test {
 protected:
  ConfigFileTest() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "keyturn-config-XXXXXX").string();
    folder = mkdtemp(pattern.data());
    path = folder + "/config.yaml";
    write(kFirst);
    log::set_sink([this](std::string_view line) { logged += std::string(line) + "\n"; });
    file.emplace(path, *load_operator_config(path), clock,
                 [this](const OperatorConfig&) { ++told; });
  }
  ~ConfigFileTest() override {
    log::set_sink({});
    std::filesystem::remove_all(folder);
  }
  void write(const std::string& text) const { std::ofstream(path, std::ios::binary) << text; }
  bool allows(const std::string& ns, const std::string& secret) const {
    return file->get()->access.secret(ns, secret, "").ok();
  }

  testing::FakeClock clock;
  std::string folder, path, logged;
  int told = 0;
  std::optional<ConfigFile> file;
};

TEST_F(ConfigFileTest, ARuleThatIsAddedOrTakenAwayCountsAtOnce) {
  EXPECT_TRUE(allows("shop", "shop/a"));
  file->poll();
  EXPECT_EQ(told, 0) << "nothing has changed";
  write("access: [{namespaces: [bank], secrets: [\"bank/*\"]}]\nminRotationInterval: 1h\n");
  file->poll();
  EXPECT_EQ(told, 1);
  EXPECT_FALSE(allows("shop", "shop/a"));
  EXPECT_TRUE(allows("bank", "bank/a"));
  EXPECT_EQ(file->get()->min_rotation_interval, Duration(3'600'000));
}

TEST_F(ConfigFileTest, AChangeBetweenTheStartAndTheFirstLookIsSeen) {
  write("access: [{namespaces: [bank], secrets: [\"bank/*\"]}]\n");
  file->poll();
  EXPECT_EQ(told, 1);
  EXPECT_TRUE(allows("bank", "bank/a"));
}

TEST_F(ConfigFileTest, AFileThatBecameWrongIsToldOnceAndTheLastGoodOneStays) {
  write("access: nonsense\nnosuch: 1\n");
  file->poll();
  file->poll();
  EXPECT_EQ(told, 0);
  EXPECT_TRUE(allows("shop", "shop/a"));
  EXPECT_NE(logged.find("config.yaml:1"), std::string::npos) << logged;
  EXPECT_NE(logged.find("config.yaml:2"), std::string::npos) << "all errors at once: " << logged;
  EXPECT_EQ(logged.find("last good one"), logged.rfind("last good one")) << "said twice";
  std::filesystem::remove(path);  // while a mount is swapped
  file->poll();
  EXPECT_TRUE(allows("shop", "shop/a"));
  write(kFirst);
  file->poll();
  EXPECT_EQ(told, 1);
}

TEST_F(ConfigFileTest, WhatIsWiredAtTheStartKeepsItsValueWithAWarning) {
  const std::string listen = file->get()->listen;
  write(std::string(kFirst) + "listen: 127.0.0.1:1\nnamespaces: [shop]\nlogLevel: warn\n");
  file->poll();
  EXPECT_EQ(file->get()->listen, listen);
  EXPECT_TRUE(file->get()->namespaces.empty());
  EXPECT_EQ(file->get()->log_level, log::Level::Warn);
  EXPECT_NE(logged.find("needs a restart"), std::string::npos) << logged;
}

TEST_F(ConfigFileTest, IsReadAgainEveryFewSeconds) {
  file->start();
  clock.await_waiters(1);
  write("access: []\n");
  clock.advance(Duration(3'000));
  clock.await_waiters(1);
  file->stop();
  EXPECT_FALSE(allows("shop", "shop/a"));
}

}  // namespace
}  // namespace keyturn::rotation
