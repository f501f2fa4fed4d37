-- One distinct alert a request.
local thread, count = 0, 0
function setup(t) thread = thread + 1; t:set("number", thread) end
function request()
  count = count + 1
  return wrk.format("POST", "/api/v2/alerts", {["Content-Type"] = "application/json"},
    '[{"labels":{"alertname":"DiskFull","instance":"node-' .. number .. '-' .. count ..
    '","severity":"critical","job":"node"},"annotations":{"summary":"Less than 5 % left on /var"},' ..
    '"generatorURL":"http://prometheus.example/graph"}]')
end
