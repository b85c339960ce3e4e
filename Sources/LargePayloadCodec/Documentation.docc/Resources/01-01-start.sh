git clone https://github.com/YOUR-ORGANISATION/large-payload-service
cd large-payload-service
make run
