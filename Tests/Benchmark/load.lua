-- What wrk sends: the requests of a file that bench.py wrote, one a line, each once and in order.
--
-- A line is METHOD, PATH and, for an upload, 16 characters. An upload's body is the file BODY with these at its end, so
-- that each is new. Arguments: REQUESTS BODY HEADER...

function init(arguments)
    local file = assert(io.open(arguments[2], "rb"))
    body = file:read("*a")
    file:close()
    for index = 3, #arguments do
        local name, value = arguments[index]:match("^(.-): (.*)$")
        wrk.headers[name] = value
    end
    lines = assert(io.open(arguments[1]))
end

function request()
    local line = lines:read("*l")
    if not line then
        -- All were sent, before the time was up.
        wrk.thread:stop()
        return wrk.format("GET", "/")
    end
    local method, path, tail = line:match("^(%S+) (%S+) ?(.*)$")
    return wrk.format(method, path, nil, tail ~= "" and body .. tail or nil)
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        'RESULT {"requests":%d,"seconds":%f,"failed":%d,"p50_ms":%f,"p99_ms":%f}\n',
        summary.requests, summary.duration / 1e6,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout,
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3
    ))
end
