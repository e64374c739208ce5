// Linux: sysfs and procfs, restricted by the affinity mask and by the limits of the cgroup (v2; v1 for the CPU quota).
#include "backend/cpu/machine.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>
#include <string>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace muonscope {
namespace {

#if defined(__linux__)
// Two hyper-threads share one core and one set of vector units: threads with the same siblings count once.
int physicalCores() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return static_cast<int>(std::thread::hardware_concurrency());
  std::set<std::string> cores;
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list");
    std::string siblings;
    if (!std::getline(file, siblings)) siblings = "cpu" + std::to_string(cpu);
    cores.insert(siblings);
  }
  return static_cast<int>(cores.size());
}

// Quota in cores; infinite where there is none.
double quota() {
  double cores = INFINITY;
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const auto path = line.substr(line.rfind(':') + 1);
    const bool v2 = line.rfind("0::", 0) == 0;
    if (!v2 && line.find("cpu") == std::string::npos) continue;
    // Inside a container the path is often that of the host, and the root of the mount is ours.
    for (const std::string& folder : {path, std::string()}) {
      double limit = -1, period = 0;
      if (v2) {
        std::ifstream file("/sys/fs/cgroup" + folder + "/cpu.max");
        if (!(file >> limit >> period)) continue;  // "max 100000": no limit
      } else {
        std::ifstream limitFile("/sys/fs/cgroup/cpu" + folder + "/cpu.cfs_quota_us");
        std::ifstream periodFile("/sys/fs/cgroup/cpu" + folder + "/cpu.cfs_period_us");
        if (!(limitFile >> limit) || !(periodFile >> period)) continue;
      }
      if (limit > 0 && period > 0) cores = std::min(cores, limit / period);
    }
  }
  return cores;
}

// The number that follows `key` in a file of "key number" lines; infinite where there is none.
double field(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string word; file >> word;)
    if (double value; word == key && file >> value) return value;
  return INFINITY;
}

double cgroupMemory() {
  double limit = 0, used = 0;
  std::ifstream limitFile("/sys/fs/cgroup/memory.max"), usedFile("/sys/fs/cgroup/memory.current");
  if (!(limitFile >> limit) || !(usedFile >> used)) return INFINITY;  // "max": no limit
  // What is used holds the cache of files, which gives way.
  const std::string statistics = "/sys/fs/cgroup/memory.stat";
  return limit - used + field(statistics, "inactive_file") + field(statistics, "active_file");
}

double memory() { return std::min(1024 * field("/proc/meminfo", "MemAvailable:"), cgroupMemory()); }
#elif defined(__APPLE__)
int physicalCores() {
  int cores = 0;
  size_t size = sizeof cores;
  // Performance cores where the machine distinguishes: a slow lane would hold up the others.
  if (sysctlbyname("hw.perflevel0.physicalcpu", &cores, &size, nullptr, 0) == 0 && cores > 0) return cores;
  if (sysctlbyname("hw.physicalcpu", &cores, &size, nullptr, 0) == 0 && cores > 0) return cores;
  return static_cast<int>(std::thread::hardware_concurrency());
}
double quota() { return INFINITY; }
double memory() { return INFINITY; }
#else
int physicalCores() { return static_cast<int>(std::thread::hardware_concurrency()); }
double quota() { return INFINITY; }
double memory() { return INFINITY; }
#endif

}  // namespace

int availableCores() {
  const double limited = std::min<double>(physicalCores(), std::ceil(quota()));
  return std::max(1, static_cast<int>(limited));
}

double availableMemory() { return memory(); }

}  // namespace muonscope
