#pragma once
// ResnetSession: a ResNet opened and ready to run.

#include <kinglet/models/resnet.hpp>
#include <memory>
#include <string>
#include <vector>

#include "model_session.hpp"

namespace kinglet::tools {

class ResnetSession : public ModelSession {
 public:
  /// Throws FileError when the file holds no such model.
  explicit ResnetSession(const ModelBytes& source, const std::string& isa = {}, int threads = 1);

  const resnet::Config& config() const noexcept { return config_; }
  const resnet::Weights& weights() const noexcept { return *weights_; }

  /// in.images_u8 [images, 3, height, width], of which the network sees v/64 − 2.
  std::vector<Values> run_golden(const Checkpoint& golden) override;
  std::vector<Values> run_samples(const Checkpoint& samples, int rows) override;
  /// Of the images that it was trained on.
  int positions() const override { return 224; }
  bool reads_images() const override { return true; }
  std::vector<NamedPlan> plans(int batch, int live, bool every_row) const override;

  /// Of images of one size; their own memory included.
  Plan plan(int images, int height, int width, unsigned wanted,
            const resnet::Trace* trace = nullptr) const;

 private:
  resnet::Config config_{};
  std::unique_ptr<resnet::Weights> weights_;
};

}  // namespace kinglet::tools
