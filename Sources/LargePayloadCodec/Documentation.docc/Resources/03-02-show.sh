temporal workflow show --workflow-id count-letters --detailed \
    --codec-endpoint 'http://127.0.0.1:8577/codec/{namespace}'
