-- Makes wrk send the requests in a file that bench.py wrote, one per line, each once and in order.
--
-- A line is METHOD, PATH and, for an upload, 16 characters, which are appended to the file BODY, so that each body is
-- new. Arguments: REQUESTS BODY COUNT HEADER... The run ends when COUNT requests are answered, or, with COUNT 0, when
-- the time is up.
-- The first line is not sent: wrk requests one line before it begins.

local ffi = require("ffi")
ffi.cdef("int getpid(void); int kill(int pid, int signal);")

-- Ends the run early. wrk's main thread sleeps until the time is up, or until SIGINT.
function finish()
    wrk.thread:stop()
    ffi.C.kill(ffi.C.getpid(), 2)
end

function init(arguments)
    local file = assert(io.open(arguments[2], "rb"))
    body = file:read("*a")
    file:close()
    local count = tonumber(arguments[3])
    for index = 4, #arguments do
        local name, value = arguments[index]:match("^(.-): (.*)$")
        wrk.headers[name] = value
    end
    lines = assert(io.open(arguments[1]))
    if count > 0 then wait_for(count) end
end

-- Defined only if needed: wrk looks for these two functions after init, and they cost it time.
function wait_for(count)
    local left, unsent = count, count
    function delay()
        unsent = unsent - 1
        return unsent >= 0 and 0 or 1e9
    end
    function response()
        left = left - 1
        if left == 0 then finish() end
    end
end

function request()
    local line = lines:read("*l")
    if not line then
        -- All requests were sent before the time was up.
        finish()
        return wrk.format("GET", "/")
    end
    local method, path, tail = line:match("^(%S+) (%S+) ?(.*)$")
    return wrk.format(method, path, nil, tail ~= "" and body .. tail or nil)
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        'RESULT {"requests":%d,"bytes":%d,"seconds":%f,"failed":%d,"p50_ms":%f,"p99_ms":%f}\n',
        summary.requests, summary.bytes, summary.duration / 1e6,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout,
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3
    ))
end
