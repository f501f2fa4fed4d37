-- A hundred distinct alerts a request.
local thread, count = 0, 0
function setup(t) thread = thread + 1; t:set("number", thread) end
function request()
  local alerts = {}
  for i = 1, 100 do
    count = count + 1
    alerts[i] = '{"labels":{"alertname":"DiskFull","instance":"rack-' .. number .. '-' .. count ..
      '","severity":"critical","job":"node"},"annotations":{"summary":"Less than 5 % left on /var"},' ..
      '"generatorURL":"http://prometheus.example/graph"}'
  end
  return wrk.format("POST", "/api/v2/alerts", {["Content-Type"] = "application/json"},
    "[" .. table.concat(alerts, ",") .. "]")
end
