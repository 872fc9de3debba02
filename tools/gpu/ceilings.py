"""What the device can do at most: its memory's bandwidth, measured, and its float32 arithmetic, from its data sheet's terms."""

import subprocess
import time

# Float32 lanes of a multiprocessor by compute capability (CUDA C++ Programming Guide, arithmetic
# instructions).
LANES = {(8, 0): 64}
LANES_SINCE_8_6 = 128


def of_cuda(torch, device):
    properties = torch.cuda.get_device_properties(device)
    lanes = LANES.get((properties.major, properties.minor), LANES_SINCE_8_6)
    index = torch.device(device).index or 0
    clock = subprocess.run(["nvidia-smi", f"--id={index}", "--query-gpu=clocks.max.sm", "--format=csv,noheader,nounits"],
                           capture_output=True, text=True, check=True).stdout
    megahertz = float(clock.split()[0])
    count = 1 << 27
    source, target = torch.ones(count, device=device), torch.empty(count, device=device)
    best = 0.0
    for _ in range(10):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(5):
            target.copy_(source)
        torch.cuda.synchronize()
        best = max(best, 5 * 2 * 4 * count / (time.perf_counter() - start))
    return {"flops": 2 * lanes * properties.multi_processor_count * megahertz * 1e6, "bytes_per_s": best,
            "flops_from": f"{properties.multi_processor_count} multiprocessors x {lanes} lanes x 2 x {megahertz:.0f} MHz",
            "bytes_per_s_from": "copy of 512 MiB, read and written"}
