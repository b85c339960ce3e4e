temporal server start-dev --ui-codec-endpoint http://127.0.0.1:8577/codec
