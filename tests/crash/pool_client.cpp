#include "tests/crash/pool_client.h"

#include "alloc/format.h"
#include "alloc/superblock_layout.h"
#include "tests/crash/pool_store.h"
#include "tests/crash/pool_workloads.h"

namespace nacre::crash {
namespace {

class PoolClient final : public Client {
 public:
  explicit PoolClient(const Config& config)
      : form_(config_value(config, "form", "strict") == "one" ? alloc::CommitForm::one_fence
                                                              : alloc::CommitForm::strict) {
    const auto number = [&](const char* key, const char* otherwise) {
      return std::stoull(std::string(config_value(config, key, otherwise)));
    };
    size_bytes_ = number("size", "65536");
    max_bytes_ = number("max", "0");
    step_bytes_ = number("step", "8192");
    geometry_.chunk_bytes = static_cast<uint32_t>(number("chunk", "4096"));
    geometry_.lane_count = static_cast<uint32_t>(number("lanes", "2"));
    geometry_.lane_cells = static_cast<uint32_t>(number("cells", "16"));
    probe_ = number("probe", "4");
    another_makes_root_ = config_value(config, "root", "opener") == "another";
  }

  uint64_t pool_bytes() const override { return size_bytes_; }
  uint64_t max_bytes() const override { return std::max(size_bytes_, max_bytes_); }
  std::unique_ptr<Model> empty_model() const override { return std::make_unique<PoolModel>(); }

  // One sound copy of the superblock is enough to open a pool, but format makes two.
  Status format(std::unique_ptr<pmem::Domain> domain) override {
    NACRE_TRY(alloc::format_pool(*domain, {.geometry = geometry_, .classes = {}, .identity_lo = 1, .identity_hi = 2}));
    for (uint64_t copy : {alloc::kSuperblockAOff, alloc::kSuperblockBOff})
      if (!alloc::line_intact(0, copy, *domain->at<alloc::GuardedLine>(copy)))
        return Status::error(Code::corruption, "the copy of the superblock at %llu is not sound",
                             static_cast<unsigned long long>(copy));
    return Code::ok;
  }
  bool may_refuse(std::string_view op, Code code) const override {
    return code == Code::out_of_space && op.find("fits:") == std::string_view::npos;
  }
  Result<std::unique_ptr<Store>> open(std::unique_ptr<pmem::Domain> domain) override {
    NACRE_ASSIGN(auto pool, alloc::Pool::open(std::move(domain), options()));
    auto store = std::make_unique<PoolStore>(std::move(pool));
    NACRE_TRY(store->open(another_makes_root_));
    return std::unique_ptr<Store>(std::move(store));
  }
  std::string probe(const Model& model, uint64_t salt) const override {
    switch (probe_ < 4 ? probe_ : salt) {
      case 0:
        return "put:0:24:77";
      case 1:
        return "put:1:100:78:15:24:79";
      case 2:
        return static_cast<const PoolModel&>(model).has_node(0) ? "move:0" : "put:2:64:80";
      default:
        return static_cast<const PoolModel&>(model).has_node(0) ? "drop:0" : "put:3:40:81";
    }
  }

 private:
  // Growth happens in the operation that needs it, so that a run is the same each time.
  alloc::PoolOptions options() const {
    alloc::PoolOptions o;
    o.form = form_;
    o.grow = {.helper = false, .step_bytes = step_bytes_};
    return o;
  }

  alloc::CommitForm form_;
  alloc::Geometry geometry_;
  uint64_t size_bytes_, max_bytes_, step_bytes_;
  uint64_t probe_;  // of the four, always this one; 4: the salt decides
  bool another_makes_root_;
};

std::unique_ptr<Client> make_pool_client(const Config& config) { return std::make_unique<PoolClient>(config); }

}  // namespace

const ClientKind& pool_client_kind() {
  static const ClientKind kind{"pool", make_pool_client, pool_workloads};
  return kind;
}

}  // namespace nacre::crash
